"""Datasets: files of cases, read by `load`, and rows from elsewhere, checked by `build`.

A reader turns a file into numbered rows and never judges them; `build` judges all rows alike, so
every format, and an MLflow dataset, is held to the same rules and speaks with the same messages.
"""

from pathlib import Path

from vcmp.datasets.cases import build
from vcmp.datasets.readers import FORMATS, Format
from vcmp.errors import DatasetError, suggest
from vcmp.types import Dataset

__all__ = ["build", "load"]

MAX_BYTES = 300_000_000
"""Bytes that a file of cases may have."""


def load(path: Path, *, name: str = "", limit: int | None = None) -> Dataset:
    """Read a dataset from a file; its ending chooses the format.

    `.jsonl` and `.ndjson` (one case a line), `.json` and `.yaml` (a list), `.csv` (columns `id`,
    `cluster`, `tags`, `inputs.<name>`, `expectations.<name>`; any other column is an input; cells
    are text unless they hold a JSON list or object; an empty cell is absent) and `.parquet`
    (columns as in CSV, or structs `inputs` and `expectations`; null is absent).

    Args:
        path: As the user named it; messages name it so.
        name: The file name without its ending when "".
        limit: Keep the first `limit` cases; rows beyond it are still checked.

    Raises:
        DatasetError: The file cannot be read, holds no case, or some of its rows cannot be used;
            all of those are listed.
    """
    if not path.exists():
        raise DatasetError(f"{path}: no such file.{_nearest(path)}")
    form = _format_of(path)
    if not path.is_file():
        raise DatasetError(f"{path}: no plain file. Name a file of cases.")
    if path.stat().st_size > MAX_BYTES:
        raise DatasetError(
            f"{path}: {path.stat().st_size:,} bytes; a dataset may have {MAX_BYTES:,}. Split it."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read. {error.strerror}") from error
    return build(
        form.read(content, str(path)),
        name=name or path.stem,
        where=str(path),
        limit=limit,
        layout=form.layout,
    )


def _format_of(path: Path) -> Format:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise DatasetError(
            f"{path}: a dataset cannot have the ending {path.suffix!r}."
            f"{suggest(path.suffix, FORMATS)} It can have {', '.join(sorted(FORMATS))}."
        ) from None


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder {str(path.parent)!r} either."
    files = sorted(file.name for file in path.parent.iterdir() if file.suffix in FORMATS)
    listed = f" Its folder has {', '.join(files[:8])}." if files else " Its folder has no dataset."
    return suggest(path.name, files) or listed
