"""Killed, interrupted, out of disk: what is finished is kept, and a resumed sweep ends as an
undisturbed one."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Run
from tests.openai_server import OpenAIServer

TIMES = {"started_s", "latency_s", "waited_s", "id", "created"}
CONCURRENCY = 4


def begin(project: Path, url: str, *arguments: str, **how: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "vcmp", *settings(url), *arguments],
        cwd=project, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
    )  # fmt: skip


def settings(url: str) -> list[str]:
    return [
        "agent=empathetic,basic", "provider=compatible", f"provider.base_url={url}",
        "tracking=none", "dataset.limit=40", f"concurrency={CONCURRENCY}", "gate=none", "-m",
    ]  # fmt: skip


def sweep_of(project: Path) -> Path:
    (folder,) = (project / "outputs").glob("2*")
    return folder


def timeless(value: Any) -> Any:
    """A JSON value without what a clock, or the server, has put in anew."""
    if isinstance(value, Mapping):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [timeless(item) for item in value]
    return value


def rows(folder: Path, name: str = "results.jsonl") -> list[Any]:
    path = folder / name
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [timeless(json.loads(line)) for line in lines]


def kill_after(process: "subprocess.Popen[str]", server: OpenAIServer, n_requests: int) -> None:
    while len(server.requests) < n_requests:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.kill()
    process.communicate()


def asked(server: OpenAIServer) -> Counter[str]:
    return Counter(json.dumps(request["body"], sort_keys=True) for request in server.requests)


def test_a_killed_sweep_goes_on_where_it_was(project: Path, vcmp: Run, tmp_path: Path):
    """Only calls that were in flight are repeated, and the files are those of a quiet run."""
    with OpenAIServer(delay_s=0.02) as server:
        kill_after(begin(project, server.base_url), server, 37)
        folder = sweep_of(project)
        kept = sum(len(rows(folder / job)) for job in "01")

        done = vcmp("resume", f"outputs/{folder.name}")
        assert (done.returncode, done.stderr) == (0, "")
        repeated = sum(count - 1 for count in asked(server).values())
        killed = {path.name: path.read_bytes() for path in folder.glob("*.*")}
        ended = [rows(folder / job) for job in "01"]

    with OpenAIServer(delay_s=0.02) as server:
        quiet = vcmp(*settings(server.base_url))
        (other,) = (path for path in (project / "outputs").glob("2*") if path != folder)

    assert kept + CONCURRENCY >= 37 - CONCURRENCY
    assert repeated <= CONCURRENCY
    assert quiet.returncode == 0
    assert ended == [rows(other / job) for job in "01"]
    assert len(ended[0]) == len(ended[1]) == 40
    assert killed["report.md"].count(b"\n") == (other / "report.md").read_bytes().count(b"\n")
    assert not list(folder.glob("*/answers.jsonl"))
