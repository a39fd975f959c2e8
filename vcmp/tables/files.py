"""What a table may be made of: CSV, a DataFrame, a mapping, the files of promptfoo and inspect."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError
from vcmp.tables import inspect_logs, promptfoo
from vcmp.tables.columns import Columns, Table, checked
from vcmp.tables.logs import Log, tabulate

ZIP = b"PK\x03\x04"


def columns_of(scores: Any) -> tuple[str, Columns]:
    """The columns of a table, and what to call it in messages.

    Args:
        scores: Path of a CSV file, a pandas DataFrame, a mapping from column to values, or what
            `read` has read.

    Raises:
        ConfigError: It cannot be read, lacks a column, or has no line.
    """
    if isinstance(scores, str | Path):
        scores = read([scores])
    if isinstance(scores, Table):
        return scores.where, scores.columns
    if hasattr(scores, "iloc") and hasattr(scores, "columns"):
        names = list(map(str, scores.columns))
        lists = [scores.iloc[:, place].tolist() for place in range(len(names))]
    elif isinstance(scores, Mapping):
        names, lists = list(map(str, scores)), [_listed(key, scores[key]) for key in scores]
    else:
        raise ConfigError(
            f"scores: a {type(scores).__name__} is no table. Give a path, a pandas DataFrame or a "
            "mapping."
        )
    return "scores", checked("scores", names, lists)


def _listed(name: Any, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"scores: column {name!r} is no list. Give one value for each line.")
    return list(values)


def read(paths: Sequence[str | Path], baseline: str = "") -> Table:
    """A table from the files of a tool.

    Args:
        paths: One CSV file, or files of promptfoo (`promptfoo eval -o results.json`) or of inspect
            (its logs as JSON), which may hold more versions.
        baseline: Which of the versions in files of promptfoo or inspect the others are compared
            with, by name, prompt, provider, task, model or file; "" for CSV, which has a column.

    Raises:
        ConfigError: A file cannot be read or is none of these, or it is not clear which version is
            the baseline.
    """
    files = [Path(path) for path in paths]
    documents = [_document(path) for path in files]
    if documents == [None]:
        if baseline:
            raise ConfigError(
                f"{files[0]}: a CSV file has the baseline in a column. Leave out --baseline."
            )
        return _read_csv(files[0])
    for path, document in zip(files, documents, strict=True):
        if document is None:
            raise ConfigError(
                f"{path}: several CSV files are no table. Put their lines into one, with the column"
                " 'variant'."
            )
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return tabulate(f"{files[0]}{more}", _logs(files, documents), baseline)


def _logs(files: Sequence[Path], documents: Sequence[Any]) -> list[Log]:
    kinds = (promptfoo, inspect_logs)
    read_by = [next((kind for kind in kinds if kind.is_own(d)), None) for d in documents]
    for path, kind in zip(files, read_by, strict=True):
        if kind is None:
            raise ConfigError(
                f"{path}: is neither promptfoo's results nor an inspect log. Give a CSV file, or"
                " what `promptfoo eval -o results.json` or inspect writes."
            )
        if kind is not read_by[0]:
            raise ConfigError(
                f"{path}: comes from another tool than {files[0]}. Give the files of one tool."
            )
    sources = list(zip(map(str, files), documents, strict=True))
    try:
        return promptfoo.logs(sources) if read_by[0] is promptfoo else inspect_logs.logs(sources)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{files[0]}: is not built as its tool builds it ({what}). Write it again, or give a"
            " CSV file."
        ) from error


def _document(path: Path) -> Any:
    """The JSON in a file; None for one that is not called so."""
    try:
        with path.open("rb") as file:
            binary = file.read(len(ZIP)) == ZIP
        if path.suffix == ".eval":
            raise ConfigError(
                f"{path}: is a binary log of inspect. Convert it:\n"
                f"  inspect log convert --to json --output-dir converted {path}"
            )
        if binary:
            raise ConfigError(f"{path}: is no text. Save the table as CSV.")
        return json.loads(path.read_bytes()) if path.suffix == ".json" else None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Give a CSV file.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON ({error}). Write it again.") from error


def _read_csv(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            names = [name.strip() for name in next(rows, [])]
            lines = [row for row in rows if row]
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give a CSV file.") from error
    if not names:
        raise ConfigError(f"{path}: is empty. Give a head, and a line for each case and scorer.")
    if len(names) == 1 and any(sign in names[0] for sign in ";\t"):
        raise ConfigError(f"{path}: its cells are not separated by commas. Save it with commas.")
    for number, row in enumerate(lines, start=2):
        if len(row) != len(names):
            raise ConfigError(
                f"{path}, line {number}: has {len(row)} cells, the head has {len(names)}. Mend it."
            )
    columns = [values for _, values in zip_longest(names, zip(*lines, strict=True), fillvalue=())]
    return Table(where=str(path), columns=checked(str(path), names, columns))
