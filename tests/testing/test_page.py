"""docs/testing.md: its example runs, its commands do, and its table is whole."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run
from vcmp.testing import FaultServer, faults

PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    python -m vcmp\.testing (.*)$", PAGE, re.MULTILINE)


def test_the_example_runs(tmp_path: Path):
    """In a project with the sample's agents, by pytest as anybody would call it."""
    [example] = re.findall(r"```python\n(# tests/test_support_agent\.py.*?)```", PAGE, re.DOTALL)
    shutil.copytree(ROOT / "agents", tmp_path / "agents")
    (tmp_path / "test_support_agent.py").write_text(example, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_every_fault_is_described():
    described = re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)

    assert sorted(described) == faults.__all__


def test_the_page_has_commands():
    assert len(COMMANDS) == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_serves(command: str):
    """On another port, and for a moment."""
    done = subprocess.run(
        [sys.executable, "-m", "vcmp.testing", *shlex.split(command), "--port=0", "--seconds=0.2"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    url, counts = done.stdout.splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
    assert counts == "0 requests, 0 of them over the limit; 0 at once at most"


def test_an_evaluation_survives(project: Path, vcmp: Run):
    """Three failures of the provider are three calls more, and no case is lost by them."""
    script = [
        faults.rate_limit(0.1, "ms"),
        faults.server_error(502),
        faults.reset(),
        faults.answer(lambda request: f"You asked: {request.question}"),
    ]

    with FaultServer(script) as server:
        done = vcmp("agent=basic", "provider=compatible", f"provider.base_url={server.url}",
                    "dataset.limit=6", "concurrency=2", "gate=none", "tracking=none")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert server.n_requests == 6 + 3
    assert server.most_at_once <= 2
    [file] = project.glob("outputs/*/0/results.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert sum("You asked: " in json.dumps(row) for row in rows) == 6
