"""A machine that is told to stop leaves no process that goes on spending."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_of_a_baseline_ends_with_the_sweep(
    project: Path, number: signal.Signals, tmp_path: Path
):
    """The baseline of another revision is evaluated by a process of its own."""
    with OpenAIServer(delay_s=0.2) as server:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "vcmp", "baseline=git:main", "provider=compatible",
                f"provider.base_url={server.base_url}", "tracking=none", "concurrency=2",
            ],
            cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        )  # fmt: skip
        while len(server.requests) < 4:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=30)
        time.sleep(0.5)
        n_requests = len(server.requests)
        time.sleep(1)

    assert process.returncode == 128 + number
    assert len(server.requests) == n_requests
    assert processes_in(tmp_path) == []
    assert list(tmp_path.glob("vcmp-*")) == []
