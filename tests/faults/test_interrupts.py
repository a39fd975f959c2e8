"""A machine that is told to stop leaves no process that goes on spending."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, run_vcmp, start_vcmp
from tests.openai_server import OpenAIServer


def processes_in(folder: Path) -> list[int]:
    """Ids of the processes whose folder is below `folder`, or that name it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            about = (process / "cmdline").read_bytes() + os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if os.fsencode(folder) in about:
            found.append(int(process.name))
    return found


AGENTS = """\
import asyncio, multiprocessing, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from openai import OpenAI


def ask(question):
    message = {"role": "user", "content": question}
    OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[message])


def tool(question):
    ask(question)
    subprocess.run([sys.executable, "-c", "import time; time.sleep(100)"])


def processes(question):
    ask(question)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(time.sleep, [100, 100]))


def threads(question):
    ask(question)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(time.sleep, [100, 100]))


def respawning(question):
    ask(question)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(time.sleep, 100 * [100], chunksize=1)


async def blocking(question):
    ask(question)
    time.sleep(100)


async def executor(question):
    await asyncio.to_thread(ask, question)
    await asyncio.to_thread(time.sleep, 100)


async def stubborn(question):
    await asyncio.to_thread(ask, question)
    await sleep_stubbornly()


left = []


async def background(question):
    left.append(asyncio.create_task(sleep_stubbornly()))
    await asyncio.to_thread(ask, question)
    await asyncio.sleep(100)


async def sleep_stubbornly():
    for _ in range(100):
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            pass
"""


def write_agent(project: Path, agent: str) -> None:
    (project / "agents/busy.py").write_text(AGENTS, encoding="utf-8")
    node = f"_target_: agents.busy.{agent}\n_partial_: true\n"
    (project / "conf/agent/busy.yaml").write_text(node, encoding="utf-8")


def interrupt(project: Path, agent: str, number: int, signals: int = 1) -> tuple[int, str, float]:
    """Exit code, what was printed, and the seconds it took after the first of the signals."""
    write_agent(project, agent)
    with OpenAIServer() as server, (project.parent / "out.txt").open("w") as out:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "vcmp", "agent=busy", "baseline=null", "concurrency=1",
                "provider=compatible", f"provider.base_url={server.base_url}", "tracking=none",
            ],
            cwd=project, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        while not server.requests:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(1)
        began = time.monotonic()
        for _ in range(signals):
            process.send_signal(number)
            time.sleep(0.1)
        code = process.wait(timeout=30)
    return code, Path(out.name).read_text("utf-8"), time.monotonic() - began


@pytest.mark.parametrize("agent", ["tool", "processes", "threads", "blocking", "respawning"])
def test_an_interrupt_ends_what_an_agent_has_started(project: Path, agent: str):
    """Tools, pools, and the process itself where its loop is blocked: none goes on."""
    code, out, took = interrupt(project, agent, signal.SIGTERM)

    assert code == 143
    assert took < 5
    assert processes_in(project) == []
    (folder,) = (project / "outputs").glob("2*")
    assert out.count("go on: ") == 1
    assert out.endswith(f"\ngo on:     vcmp resume outputs/{folder.name}\n")


@pytest.mark.parametrize("agent", ["executor", "stubborn", "background"])
def test_an_interrupt_waits_for_nothing_that_an_agent_leaves_running(project: Path, agent: str):
    """Threads of asyncio's executor, and tasks that swallow their cancellation."""
    code, out, took = interrupt(project, agent, signal.SIGINT)

    assert (code, took < 5) == (130, True)
    (folder,) = (project / "outputs").glob("2*")
    told = "interrupted: 0 of 135 results are kept in"
    way_on = f"go on:     vcmp resume outputs/{folder.name}\n"
    assert out.endswith(f"{told} outputs/{folder.name}\n{way_on}")


@pytest.mark.parametrize("agent", ["executor", "stubborn"])
def test_a_stop_waits_for_nothing_that_an_agent_leaves_running(project: Path, agent: str):
    write_agent(project, agent)
    with OpenAIServer() as server:
        began = time.monotonic()
        done = run_vcmp(
            project, "agent=busy", "baseline=null", "concurrency=2", "tracking=none", "gate=none",
            "provider=compatible", f"provider.base_url={server.base_url}", "budget.calls=1",
        )  # fmt: skip

    assert done.returncode == 4, done.stderr
    assert time.monotonic() - began < 20
    assert "stopped: 0 of 135 results are kept in" in done.stdout


@pytest.mark.parametrize(
    "code", ["wait()\ndef ask(question): ...", "class ask:\n    def __init__(self): wait()"]
)
def test_sigterm_while_an_agent_is_imported_or_built_is_no_mistake_in_it(project: Path, code: str):
    text = f"import time\ndef wait():\n    open('here', 'w').close()\n    time.sleep(60)\n{code}\n"
    (project / "agents/slow.py").write_text(text, encoding="utf-8")
    node = "_target_: agents.slow.ask\n" + "_partial_: true\n" * ("class" not in code)
    (project / "conf/agent/slow.yaml").write_text(node, encoding="utf-8")
    process = start_vcmp(project, "agent=slow", "tracking=none", "baseline=null")
    while not (project / "here").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)

    process.send_signal(signal.SIGTERM)

    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (143, "")


def test_a_second_interrupt_tells_how_it_goes_on(project: Path):
    code, out, took = interrupt(project, "tool", signal.SIGINT, signals=2)

    assert code == 130
    assert took < 3
    assert processes_in(project) == []
    (folder,) = (project / "outputs").glob("2*")
    assert out.endswith(f"\ngo on:     vcmp resume outputs/{folder.name}\n")


def test_judges_of_mlflow_ask_nothing_more(project: Path):
    """They try again for minutes by themselves, and nobody can tell their threads to end."""

    def busy(_number: int, body: Mapping[str, Any]) -> Any:
        return ("status", 503, {}, "") if "response_format" in body else None

    with OpenAIServer(faults=busy) as server:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "vcmp", "agent=basic", "scorers=mlflow", "baseline=null",
                "provider=compatible", f"provider.base_url={server.base_url}", "tracking=none",
                "attempts=20",
            ],
            cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        while len(server.requests) < 4:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        told_s = time.monotonic()
        process.wait(timeout=30)
        late = [request for request in server.requests if request["time"] > told_s + 1.0]

    assert process.returncode == 130
    assert late == []
