"""canaries.jsonl: what the judges of a sweep said of known-bad answers, before it goes on.

It is what a resumed sweep starts from; each evaluation has its own copy.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from vcmp.results.files import adapter, damaged, line, read_lines, replace_file
from vcmp.types import Canary

FILE = "canaries.jsonl"


def save_canaries(canaries: Sequence[Canary], folder: Path) -> None:
    """Write the file, where there is anything to write."""
    if canaries:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / FILE, (line(asdict(each)) for each in dict.fromkeys(canaries)))


def load_canaries(folder: Path) -> tuple[Canary, ...]:
    """Read what `save_canaries` wrote; nothing where it did not come so far.

    Raises:
        ResultsError: The file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    rows = read_lines(path)
    try:
        return tuple(adapter(Canary).validate_python(row) for row in rows)
    except ValueError as error:
        raise damaged(path, error) from error
