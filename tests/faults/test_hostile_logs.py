"""Nothing that a model wrote is a command of the CI system that shows the log of a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run
from tests.faults.hostile import COMMANDS
from tests.faults.test_hostile_content import check_log

AGENT = '''
import asyncio, os, subprocess, sys, threading

COMMANDS = {commands!r}

async def answer(question, kind):
    """Say, print, stream and raise commands: in a case, a task, a thread, a tool of its own."""
    text = COMMANDS[int(question)]
    shown = text.encode(errors="replace")
    print(shown.decode())
    for stream in (sys.stdout, sys.__stderr__):
        for letter in shown.decode():
            print(letter, end="", flush=True, file=stream)
        stream.buffer.write(b"\\n" + shown + b"\\n")
    for descriptor in (1, 2):
        os.write(descriptor, b"\\n" + shown + b"\\n")
    subprocess.run(["tee", "/dev/stderr"], input=b"\\ntool: " + shown + b"\\n" + shown, check=True)
    if kind == "fails":
        asyncio.create_task(fail(text))
        thread = threading.Thread(target=fail_at_once, args=[text])
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        raise ValueError(f"first\\n{{text}}")
    return text

async def fail(text):
    fail_at_once(text)

def fail_at_once(text):
    raise ValueError("second\\n" + text)

def score(case, output):
    if case.id.endswith("3"):
        raise ValueError("third\\n" + output)
    return 1.0
'''
VARIANT = "# {0}\n_target_: agents.hostile.answer\n_partial_: true\nkind: {0}\n"
NAMES = ("::warning::", "##[group]", "@team", "=1")


@pytest.fixture
def hostile(project: Path) -> None:
    """A project whose agent, cases and metric are made of commands."""
    write(project, "agents/hostile.py", AGENT.format(commands=COMMANDS))
    for kind in ("answers", "fails"):
        write(project, f"conf/agent/{kind}.yaml", VARIANT.format(kind))
    rows = (
        {"id": f"{NAMES[n % 4]}{n}", "inputs": {"question": str(n)}, "tags": [NAMES[n % 4]]}
        for n in range(len(COMMANDS))
    )
    write(project, "conf/dataset/hostile.jsonl", "\n".join(map(json.dumps, rows)))
    write(project, "conf/dataset/hostile.yaml", "# x\nname: '::error::x'\n"
          "path: conf/dataset/hostile.jsonl\n")  # fmt: skip
    write(project, "conf/scorers/hostile.yaml", "# x\n'::notice::m': "
          "{_target_: agents.hostile.score, _partial_: true}\n")  # fmt: skip


def write(project: Path, path: str, text: str) -> None:
    (project / path).write_text(text, encoding="utf-8")


def check_output(text: str) -> None:
    """No command and no control character; the file was read with every kind of line end."""
    check_log(text)
    assert "\x1b" not in text
    assert "\x00" not in text


@pytest.mark.usefixtures("hostile")
def test_no_command_reaches_the_log_of_a_run(project: Path, vcmp: Run):
    """Screen, progress, what the agent and its tools print, and what Python says of its threads."""
    done = vcmp("agent=fails,answers", "baseline=answers", "dataset=hostile", "scorers=hostile",
                "gate=none", "tracking=none", "-m")  # fmt: skip
    (folder,) = (project / "outputs").glob("2*")
    again = vcmp("conclude", str(folder))

    assert done.returncode == again.returncode == 0, done.stderr
    assert f"{len(COMMANDS)} failed" in done.stdout
    assert "ValueError: second" in done.stderr
    for stream in (done.stdout, done.stderr):
        assert stream.count("tool: ") == 2 * len(COMMANDS)
    for said in (done.stdout, done.stderr, again.stdout, again.stderr):
        check_output(said)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    "arguments",
    [
        ("agent=::add-mask::x\n::add-mask::y",),
        ("\n::add-mask::x",),
        ("agent=answers", "dataset=hostile", "dataset.path=a\r::add-mask::x", "tracking=none"),
        ("gate", "--scores", "a\n::add-mask::x.csv", "--policy", "conf/gate/none.yaml"),
        ("conclude", "\x1b[31m##[group]x"),
    ],
)
def test_no_command_reaches_the_log_by_an_error(vcmp: Run, arguments: tuple[str, ...]):
    done = vcmp(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("vcmp: ")
    check_output(done.stderr)


def test_no_command_comes_together_from_the_ends_of_two_ways_into_a_log():
    """A part of a line that is let out at the end, and what a descriptor gets then."""
    code = """
import atexit, os, sys, vcmp.outlets
atexit.register(lambda: print(":add-mask::x"))
vcmp.outlets.guard_outlets()
print(":", end="")
os.write(1, b":")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert sorted(done.stdout.split()) == [":", ":", ":add-mask::x"]
    check_output(done.stdout)
