"""Processes that this one has started, and those that they have: agents may run tools."""

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PATIENCE_S = 0.3
"""Seconds that they get to end by themselves."""


def end_all() -> None:
    """End them: at once who does not heed SIGTERM."""
    _end(list(descendants(os.getpid())))


def end_with_own(process: int) -> None:
    """End a process and those that it has started."""
    _end([process, *descendants(process)])


def _end(found: Sequence[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL) if found else ():
        for process in found:
            with suppress(OSError):  # it has ended
                os.kill(process, number)
        if number == signal.SIGTERM:
            time.sleep(PATIENCE_S)


def descendants(process: int) -> Iterator[int]:
    """Ids of the children of a process, and theirs; none where the system cannot tell."""
    children = _children()
    waiting = [process]
    while waiting:
        for child in children[waiting.pop()]:
            yield child
            waiting.append(child)


def _children() -> defaultdict[int, list[int]]:
    """By process, its children."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for process, parent in _of_proc() if PROC.is_dir() else _of_ps():
        children[parent].append(process)
    return children


def _of_proc() -> Iterator[tuple[int, int]]:
    """Every process and its parent, on Linux; images of containers often have no `ps`."""
    for file in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # the name stands in brackets and may hold anything
            state = file.read_text("utf-8", errors="replace").rpartition(")")[2].split()
            yield int(file.parent.name), int(state[1])


def _of_ps() -> Iterator[tuple[int, int]]:
    command = ["ps", "-A", "-o", "pid=,ppid="]
    with suppress(OSError), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as looking:
        for line in looking.stdout or ():
            process, parent = map(int, line.split())
            if process != looking.pid:
                yield process, parent
