"""A process on an errand: it works alone in its folder, and ends when its parent wants it to."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vcmp import errand

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
TAKE_TURNS = """\
import os, time
from vcmp.errand import Errand
errand = Errand.take()
with (errand.folder / "log").open("a") as log:
    log.write("begin ")
    log.flush()
    time.sleep(0.3)
    log.write("end ")
assert Errand.take() is None
assert not [name for name in os.environ if name.startswith("VCMP_")]
assert not os.get_inheritable(errand.lifeline)
"""
STUBBORN = """\
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tool = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
with open("pids.new", "w") as file:
    file.write(f"{os.getpid()} {tool.pid}")
os.rename("pids.new", "pids")
time.sleep(100)
"""


def send(code: str, folder: Path) -> int:
    with (folder / "stderr").open("a") as stderr:
        command = [sys.executable, "-c", code]
        return errand.send(
            command, folder, sweep=folder, cwd=folder, environment=ENVIRONMENT, stderr=stderr
        )


def test_processes_in_one_folder_take_turns(tmp_path: Path):
    """One that is still ending and the one that goes on would write the same rows; what they start
    is on no errand."""
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(send(TAKE_TURNS, tmp_path))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [0, 0, 0], (tmp_path / "stderr").read_text("utf-8")
    assert (tmp_path / "log").read_text("utf-8") == 3 * "begin end "


def test_who_does_not_stop_is_ended_with_what_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(errand, "PATIENCE_S", 0.2)
    main = threading.get_ident()

    def interrupt() -> None:
        while not (tmp_path / "pids").exists():
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGUSR1)

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, leave)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            send(STUBBORN, tmp_path)
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()

    for process in (tmp_path / "pids").read_text("utf-8").split():
        until = time.monotonic() + 5  # a signal takes its time on a busy machine
        while not has_ended(int(process)) and time.monotonic() < until:
            time.sleep(0.02)
        assert has_ended(int(process))


def has_ended(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
