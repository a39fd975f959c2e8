"""Processes that this one has started, and those that they have: agents may run tools."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PATIENCE_S = 0.3
"""Seconds that they get to end by themselves."""


LIMIT_S = 1.0
"""Seconds after which no more is ended: who starts others faster cannot be caught up with."""
POLL_S = 0.02
STARTING = {"os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen"}
"""Audit events of who starts a process."""


def end_all() -> None:
    """End them, as the last thing that this process does: none is started any more, by an agent's
    pool in the place of those that end, say."""
    caller = threading.get_ident()  # `ps` may be started

    def hold(event: str, _arguments: object) -> None:
        if event in STARTING and threading.get_ident() != caller:
            threading.Event().wait()  # an exception would be told on the screen

    sys.addaudithook(hold)
    _end(os.getpid(), set())


def end_with_own(process: int) -> None:
    """End a process and those that it has started."""
    _end(process, {process})


def _end(root: int, found: set[int]) -> None:
    """End those found and what is below `root`: at once who does not heed SIGTERM, and who is
    started meanwhile."""
    number, until = signal.SIGTERM, time.monotonic() + PATIENCE_S + LIMIT_S
    while left := _left(root, found):
        for process in left:
            with suppress(OSError):  # it has ended
                os.kill(process, number)
        if time.monotonic() > until:
            return
        time.sleep(PATIENCE_S if number == signal.SIGTERM else POLL_S)
        number = signal.SIGKILL


def _left(root: int, found: set[int]) -> set[int]:
    """Those found that live, together with those that they and `root` have started by now."""
    parents = dict(_of_proc() if PROC.is_dir() else _of_ps())
    children: defaultdict[int, list[int]] = defaultdict(list)
    for process, parent in parents.items():
        children[parent].append(process)
    waiting = [root, *found]  # those of one that has ended are below `root` no longer
    while waiting:
        new = [child for child in children[waiting.pop()] if child not in found]
        found.update(new)
        waiting += new
    return found & parents.keys()


def _of_proc() -> Iterator[tuple[int, int]]:
    """Every process that has not ended, and its parent, on Linux; images of containers often have
    no `ps`."""
    for file in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # the name stands in brackets and may hold anything
            state = file.read_text("utf-8", errors="replace").rpartition(")")[2].split()
            if state[0] != "Z":
                yield int(file.parent.name), int(state[1])


def _of_ps() -> Iterator[tuple[int, int]]:
    command = ["ps", "-A", "-o", "pid=,ppid=,state="]
    with suppress(OSError), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as looking:
        for line in looking.stdout or ():
            process, parent, state = line.split()[:3]
            if int(process) != looking.pid and not state.startswith("Z"):
                yield int(process), int(parent)
