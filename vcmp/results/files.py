"""The files of a sweep, whole or not there, and what is said of those that are damaged."""

import errno
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcmp.errors import ResultsError, StorageError
from vcmp.files import write_whole
from vcmp.secrets import mask, scrub

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 1
"""Version of the files' layout; a reader refuses one it does not know."""


def replace_file(path: Path, parts: Iterable[str]) -> None:
    """Write a whole file or none.

    Raises:
        StorageError: It cannot be written; what was there before still is.
    """
    try:
        write_whole(path, parts)
    except OSError as error:
        raise _unwritable(path, error) from error


def append_line(path: Path, document: Mapping[str, Any]) -> None:
    """Add a line to a JSONL file, whole or not at all.

    Raises:
        StorageError: It cannot be written; the file is as it was.
    """
    append_text(path, line(document))


def append_text(path: Path, text: str) -> None:
    """Add text that no person or model has written to a file, whole or not at all.

    Raises:
        StorageError: It cannot be written; the file is as it was.
    """
    content = text.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0, opener=_open_own) as file:
            size = file.seek(0, os.SEEK_END)
            if (written := file.write(content)) < len(content):
                file.truncate(size)
                raise OSError(errno.ENOSPC, f"only {written} of {len(content)} bytes had room")
    except OSError as error:
        raise _unwritable(path, error) from error


def _open_own(path: str, flags: int) -> int:
    """Open a file, but not through a link, which may lead anywhere."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _unwritable(path: Path, error: OSError) -> StorageError:
    sweep = sweep_of(path)
    if not any(sweep.rglob("*.jsonl")):  # a folder without any is not kept
        return StorageError(
            f"{path}: cannot be written ({error.strerror}). Nothing was finished before.\n"
            "  Make room, and run it again."
        )
    return StorageError(
        f"{path}: cannot be written ({error.strerror}). All that was finished before is kept.\n"
        f"  Make room, then go on: vcmp resume {os.path.relpath(sweep)}"
    )


def sweep_of(path: Path) -> Path:
    """The folder of the sweep that a file belongs to."""
    return next((p for p in path.parents if (p / "sweep.json").is_file()), path.parent)


def line(document: Mapping[str, Any]) -> str:
    """What was said in one case as a line of a JSONL file, keys masked."""
    return f"{json.dumps(mask(document), ensure_ascii=True, default=_masked)}\n"


def pretty(document: Mapping[str, Any]) -> str:
    """A document as a JSON file for people, with the values of keys scrubbed."""
    return f"{json.dumps(scrub(document), indent=1, ensure_ascii=True, default=_masked)}\n"


def _masked(value: Any) -> str:
    return str(mask(str(value)))


def read(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(document, dict):
        raise damaged(path, ValueError("not a JSON object"))
    return document


def read_whole_lines(path: Path) -> list[Any]:
    """Read a JSONL file that a process may have been killed over: a last line that is torn, or of
    which a loss of power has left only the place, is left out.

    Raises:
        ResultsError: Another line is damaged.
    """
    if not path.is_file():
        return []
    *lines, _torn = path.read_bytes().split(b"\n")
    documents: list[Any] = []
    for number, text in enumerate(lines, start=1):
        try:
            documents.append(json.loads(text))
        except ValueError as error:
            if number < len(lines) or text.strip(b"\0"):
                raise damaged(path, error) from error
    return documents


def read_lines(path: Path) -> list[Any]:
    """Read a JSONL file.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> ResultsError:
    """The error to raise for a file that cannot be read."""
    what = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
    return ResultsError(f"{path}: cannot be read ({what}). Evaluate again.")


@cache
def adapter(kind: type) -> "TypeAdapter[Any]":
    """The reader of a type from JSON values."""
    from pydantic import TypeAdapter  # 0.3 s, and only reading needs it

    return TypeAdapter(kind)
