"""A runaway agent answers with ten million characters, several times."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, Run

AGENT = '''
KINDS = ["word ` | <b>\\n", "y", "é\\u2028@team ", "::add-mask::x\\n"]

def answer(question, greeting=""):
    """Ten million characters: with lines, with none, beyond Latin, and of commands."""
    kind = KINDS[len(question) % len(KINDS)]
    return greeting + kind * (10_000_000 // len(kind))
'''
BASIC = "# runs away\n_target_: agents.huge.answer\n_partial_: true\n"
CANDIDATE = "# runs away with a word before it\ndefaults: [huge]\ngreeting: 'sorry '\n"
MEASURED = """
import atexit, re, runpy

def tell():
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
    open("peak", "w").write(peak)

atexit.register(tell)
runpy.run_module("vcmp", run_name="__main__", alter_sys=True)
"""
"""The high-water mark of this process alone; `ru_maxrss` counts the one it was copied from."""


def test_ten_million_characters_keep_reports_small_and_memory_bounded(project: Path):
    for path, text in {"agents/huge.py": AGENT, "conf/agent/huge.yaml": BASIC,
                       "conf/agent/huger.yaml": CANDIDATE}.items():  # fmt: skip
        (project / path).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ["agent=huger,huge", "baseline=huge", "tracking=none", "dataset.limit=4", "-m"]

    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], cwd=project, env=environment,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stdout + done.stderr  # four cases decide nothing
    (folder,) = (project / "outputs").glob("2*")
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    assert len((folder / "report.md").read_text(encoding="utf-8")) < 60_000
    assert sizes["report.html"] < 120_000
    assert max(sizes[name] for name in ("verdict.json", "junit.xml", "scores.csv")) < 120_000
    assert len(done.stdout) < 10_000
    assert int((project / "peak").read_text()) < 500_000


LOUD = """
import os
from vcmp.types import Score

def answer(question):
    key = os.environ["MY_API_KEY"]
    text = "x" * (20_000 - len("ValueError: ") - len(key) // 2) + key + "y" * 10_000_000
    if len(question) % 2:
        raise ValueError(text)
    return text[20_000:20_100]

def score(case, output):
    if case.id.endswith("2"):
        raise ValueError("z" * 10_000_000)
    return Score(value=1.0, rationale="r" * 10_000_000)
"""


def test_errors_and_rationales_are_kept_in_their_beginnings(project: Path, vcmp: Run):
    """A key at the end of what is kept is known whole, and not cut in half."""
    key = "canary-0123456789-of-an-error"
    for path, text in {
        "agents/loud.py": LOUD,
        "conf/agent/loud.yaml": "# loud\n_target_: agents.loud.answer\n_partial_: true\n",
        "conf/scorers/loud.yaml": "# loud\nm: {_target_: agents.loud.score, _partial_: true}\n",
        "cases.jsonl": "".join(
            f'{{"id": "c{n}", "inputs": {{"question": "{"q" * n}"}}}}\n' for n in (1, 2, 4)
        ),
    }.items():
        (project / path).write_text(text, encoding="utf-8")

    done = vcmp("agent=loud", "scorers=loud", "dataset.path=cases.jsonl", "tracking=none",
                "baseline=null", "gate=none", env={"MY_API_KEY": key})  # fmt: skip

    (file,) = (project / "outputs").glob("2*/0/results.jsonl")
    rows = {row["case_id"]: row for row in map(json.loads, file.read_text().splitlines())}
    assert done.returncode == 0, done.stderr
    assert rows["c1"]["error"].endswith(" more characters)")
    assert rows["c2"]["scores"]["m"]["error"].endswith("zz… (9,980,012 more characters)")
    assert rows["c4"]["scores"]["m"]["rationale"].endswith("rr… (9,980,000 more characters)")
    assert file.stat().st_size < 100_000
    assert key[:12] not in file.read_text()
