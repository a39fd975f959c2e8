"""What a sweep sends a process of its own for: the evaluation of another revision.

Its environment tells that process where its files go, whose budget it spends, and the lifeline by
which it hangs on its parent: a pipe of which only the parent has the other end. However the parent
ends, by `kill -9` too, the system lets go of that end, and the process stops.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from vcmp import descendants
from vcmp.files import occupy

FOLDER = "VCMP_ERRAND_FOLDER"
SWEEP = "VCMP_ERRAND_SWEEP"
LIFELINE = "VCMP_ERRAND_LIFELINE"
PATIENCE_S = 5.0
"""Seconds that a process gets to save and end after it was asked to stop."""


def send(
    command: Sequence[str],
    folder: Path,
    *,
    sweep: Path,
    cwd: Path,
    environment: Mapping[str, str],
    stderr: IO[str],
) -> int:
    """Run a command on an errand, to its end.

    When an exception, such as that of a signal, ends the waiting, the process is asked to stop as
    by SIGTERM; if that takes too long it is ended, with all that it has started.

    Returns:
        Its exit code; negative the number of the signal that ended it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = {FOLDER: str(folder), SWEEP: str(sweep)}
    theirs, ours = os.pipe()
    with os.fdopen(ours, "wb", buffering=0) as lifeline:
        with os.fdopen(theirs, "rb", buffering=0):
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**environment, **told, LIFELINE: str(theirs)},
                pass_fds=[theirs],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        try:
            return process.wait()
        finally:
            lifeline.close()
            _outlast(process)


def _outlast(process: "subprocess.Popen[bytes]") -> None:
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
    finally:  # a second signal waits no longer
        if process.poll() is None:
            descendants.end_with_own(process.pid)
            process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What this process was sent for."""

    folder: Path
    """Where its files go."""
    sweep: Path
    """The folder of the sweep that sent it, in whose budget it is."""
    lifeline: int
    """Descriptor that reads the end of the file once the parent has let go."""

    @classmethod
    def take(cls) -> Self | None:
        """The errand, once: what this process starts is on none; None when it is on none itself.

        It waits for another process that is still ending in the same folder.
        """
        folder, sweep, lifeline = (os.environ.pop(name, "") for name in (FOLDER, SWEEP, LIFELINE))
        if not (folder and sweep and lifeline):
            return None
        os.set_inheritable(int(lifeline), False)
        occupy(Path(folder), waits=True)
        return cls(folder=Path(folder), sweep=Path(sweep), lifeline=int(lifeline))

    def heed(self, stop: Callable[[], None], end: Callable[[], None]) -> None:
        """Watch the lifeline from now on.

        Args:
            stop: Called, in a thread of its own, when the parent has let go.
            end: Called when the process is then still there after `PATIENCE_S`.
        """

        def watch() -> None:
            os.read(self.lifeline, 1)
            stop()
            time.sleep(PATIENCE_S)
            end()

        threading.Thread(target=watch, name="lifeline", daemon=True).start()
