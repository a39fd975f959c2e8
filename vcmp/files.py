"""Files that are whole or not there, and folders that one process at a time works in."""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

LOCK = "lock"
"""File in a folder, locked by the process that writes there."""


def occupy(folder: Path, *, waits: bool) -> bool:
    """Have a folder for as long as this process lives.

    Args:
        waits: Whether to wait for another process that has it.

    Returns:
        Whether it is ours: so it is, too, where the file system has no locks.
    """
    # stays open, and thereby locked; unlike flock, no fork of an agent shares the lock
    lock = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):
        os.close(lock)
        return False
    except OSError:
        pass
    return True


def write_whole(path: Path, parts: Iterable[str]) -> None:
    """Write a whole file or none: a reader never meets half of it, and a link is not followed.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with new.open("x", encoding="utf-8") as file:
            file.writelines(parts)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
