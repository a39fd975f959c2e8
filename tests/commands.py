"""Command lines of the tests: each runs in a copy of the one warm process of a test run."""

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_S = 60.0
"""What a warm process may take until it listens, on a busy machine."""


class Command:
    """`python -m vcmp` that was begun: what stories use of `subprocess.Popen`, in text mode."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        stdin: str = os.devnull,
        stdout: str = "",
        largest_file: int = -1,
        code: str = "",
    ) -> None:
        """Args:
        stdin: What file it reads.
        stdout: What file it writes to, where that is not read here.
        largest_file: Bytes that a file may have, as if the disk were full then; -1 for any.
        code: What to run instead of the module vcmp, as `python -c` does.
        """
        self.args = ["vcmp", *arguments]
        self.returncode: int | None = None
        self._out, self._err = tempfile.NamedTemporaryFile(), tempfile.NamedTemporaryFile()  # noqa: SIM115
        self._connection = connect(start_warm())
        command = {
            "arguments": arguments,
            "cwd": str(folder),
            "env": dict(environment),
            "streams": [stdin, stdout or self._out.name, self._err.name],
            "largest_file": largest_file,
            "code": code,
        }
        self._connection.sendall(f"{json.dumps(command)}\n".encode())
        self._replies = self._connection.makefile("rb", buffering=0)
        self.pid = int(self._replies.readline())

    @property
    def output(self) -> str:
        """What it has written to stdout until now."""
        return Path(self._out.name).read_text("utf-8")

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = int(self._replies.readline())
            self._replies.close()
            self._connection.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What was written to stdout and stderr."""
        self.wait(timeout)
        return self.output, Path(self._err.name).read_text("utf-8")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def complete(self, timeout: float) -> "subprocess.CompletedProcess[str]":
        """Wait for the end, or bring it about for the process and its children."""
        try:
            out, err = self.communicate(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            raise
        assert self.returncode is not None
        return subprocess.CompletedProcess(self.args, self.returncode, out, err)


def connect(address: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    end, failure = time.monotonic() + START_S, address.with_name("failure")
    while not failure.exists() and time.monotonic() < end:
        with suppress(FileNotFoundError, ConnectionRefusedError):
            connection.connect(str(address))
            return connection
        time.sleep(0.05)
    said = failure.read_text("utf-8") if failure.exists() else f"not within {START_S} s"
    raise RuntimeError(f"the warm process does not start: {said}")


@cache
def start_warm() -> Path:
    """The address of the warm process that all workers of this test run share.

    The first that needs it starts it; it ends with the process that distributes the tests.
    """
    run, owner = os.environ.get("PYTEST_XDIST_TESTRUNUID"), os.getppid()
    if run is None:
        run, owner = f"{os.getpid()}-{time.time_ns()}", os.getpid()
    folder = Path(tempfile.gettempdir()) / f"vcmp-warm-{run}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.fstat(lock.fileno()).st_size:
            command = [sys.executable, str(ROOT / "tests/warm.py"), str(folder), str(owner)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            os.posix_spawn(sys.executable, command, environment, setsid=True)
            lock.write("started")
    return folder / "socket"
