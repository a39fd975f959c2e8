"""Ctrl-C and SIGTERM: nothing more is sent, what is done is kept, the exit code says so."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import start_vcmp


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_saves_and_ends_within_five_seconds(
    project: Path, number: signal.Signals, code: int
):
    slow = (
        "import time\n\n\ndef answer(question):\n"
        "    with open('started.txt', 'a') as file:\n        file.write('x')\n"
        "    time.sleep(0.5 if 'track' in question else 60)\n    return 'ok'\n"
    )
    (project / "agents/slow.py").write_text(slow, encoding="utf-8")
    text = "_target_: agents.slow.answer\n_partial_: true\n"
    (project / "conf/agent/slow.yaml").write_text(text, encoding="utf-8")
    process = start_vcmp(project, "agent=slow", "concurrency=4", "tracking=none")
    started = project / "started.txt"
    while not (started.exists() and len(started.read_text("utf-8")) >= 4):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)

    process.send_signal(number)
    asked, began = len(started.read_text("utf-8")), time.monotonic()
    out, err = process.communicate(timeout=30)

    assert time.monotonic() - began < 5
    assert (process.returncode, err) == (code, "")
    assert len(started.read_text("utf-8")) <= asked + 1  # one may have begun with the signal
    (folder,) = (path for path in (project / "outputs").glob("2*"))
    saved = json.loads((folder / "0/evaluation.json").read_text("utf-8"))
    n_rows = len((folder / "0/results.jsonl").read_text("utf-8").splitlines())
    assert saved["repeats"] == 1
    told, then = out.splitlines()[-2:]
    assert told.startswith(f"interrupted: {n_rows} of ")
    assert then == f"go on:     vcmp resume outputs/{folder.name}"


def test_an_agent_that_blocks_the_loop_can_be_interrupted_too(project: Path):
    """An async agent that calls a sync client is a common mistake, and holds everything up."""
    text = (
        "import time\n\n\nasync def answer(question):\n"
        "    open('blocked', 'w').close()\n    time.sleep(60)\n"
    )
    (project / "agents/slow.py").write_text(text, encoding="utf-8")
    node = "_target_: agents.slow.answer\n_partial_: true\n"
    (project / "conf/agent/slow.yaml").write_text(node, encoding="utf-8")
    process = start_vcmp(project, "agent=slow", "tracking=none", "baseline=null")
    while not (project / "blocked").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=30)

    assert time.monotonic() - began < 5
    assert process.returncode == 130
