"""Files that are whole or not there."""

from collections.abc import Iterable
from pathlib import Path


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
