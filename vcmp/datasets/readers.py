"""One reader a format: from the bytes of a file to numbered rows.

What a reader cannot make out it hands on as `Unreadable` in the place of the row, so that all
problems of a file are told at once; it raises only when nothing of the file can be read.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from vcmp.datasets.cases import Layout, Unreadable
from vcmp.datasets.columns import cell_values, header_flaws, row_of
from vcmp.datasets.lists import json_items, json_value, yaml_items
from vcmp.errors import DatasetError

MAX_UNPACKED = 300_000_000
"""Bytes that a Parquet file may take in memory."""

BATCH_BYTES = 30_000_000

Rows = Iterator[tuple[int, Any]]

_KEYS = '"id": …, "inputs": {…}, "expectations": {…}, "cluster": …, "tags": […]'
_EXAMPLE = '{"inputs": {"question": "…"}}'
_COLUMNS = "has the columns id, inputs.<name>, expectations.<name>, cluster, tags"


@dataclass(frozen=True, slots=True)
class Format:
    """How to read one kind of file, and how messages speak of it."""

    read: Callable[[bytes, str], Rows]
    """From the file's content, and its path as messages name it."""
    layout: Layout


def _jsonl(content: bytes, where: str) -> Rows:
    # Not str.splitlines: a JSON text may hold the line separators that only that function knows.
    for number, line in enumerate(_text(content, where).split("\n"), start=1):
        if line.strip():
            yield number, json_value(line)


def _json(content: bytes, where: str) -> Rows:
    return json_items(_text(content, where), where)


def _yaml(content: bytes, where: str) -> Rows:
    return yaml_items(_text(content, where), where)


def _csv(content: bytes, where: str) -> Rows:
    text = _text(content, where)
    former_limit = csv.field_size_limit(len(text) + 1)  # 128 KiB by default: one long document
    try:
        lines = list(_csv_lines(text))
    finally:
        csv.field_size_limit(former_limit)
    if not lines:
        return
    (number, header), *rest = lines
    if isinstance(header, Unreadable):
        raise DatasetError(f"{where}:{number}: {header.reason}")
    _refuse(header_flaws(header), f"{where}:{number}")
    for number, cells in rest:
        yield number, cells if isinstance(cells, Unreadable) else _csv_row(header, cells)


def _csv_lines(text: str) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """Rows with the number of the line on which they begin; empty lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        yield begin, Unreadable(f"not CSV ({error})")


def _csv_row(header: list[str], cells: list[str]) -> Any:
    if len(cells) > len(header):
        return Unreadable(f"{len(cells)} cells under {len(header)} columns")
    values = cell_values(header, cells)
    return values if isinstance(values, Unreadable) else row_of(values)


def _parquet(content: bytes, where: str) -> Rows:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(
            f"{where}: pyarrow, which reads Parquet, is not installed. Run: pip install pyarrow"
        ) from error
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        # Where pandas kept an index; it is no input.
        names = file.schema_arrow.names
        columns = [name for name in names if not name.startswith("__index_level_")]
        _refuse(header_flaws(columns), where)
        for number, row in enumerate(_unpack(file, columns, where), start=1):
            yield number, row_of(_without_nulls(row))
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DatasetError(f"{where}: not a Parquet file that can be read ({reason}).") from error


def _unpack(file: Any, columns: list[str], where: str) -> Iterator[dict[str, Any]]:
    """The rows, a few at a time: some bytes on disk can stand for more than the memory holds.

    A cell is no larger than what is packed of its row group, so a batch of so many rows is bounded.
    """
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    largest = max((group.total_byte_size for group in groups), default=1)
    size = 0
    for batch in file.iter_batches(max(1, min(10_000, BATCH_BYTES // max(1, largest)))):
        for row in batch.select(columns).to_pylist():
            size += _weigh(row)
            if size > MAX_UNPACKED:
                raise DatasetError(
                    f"{where}: unpacks to more than {MAX_UNPACKED:,} bytes."
                    " Split it, or leave columns out."
                )
            yield row


def _weigh(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, dict):
        return sum(map(_weigh, value.values()))
    if isinstance(value, list):
        return 8 * len(value) + sum(map(_weigh, value))
    return len(value) if isinstance(value, str | bytes) else 8


def _without_nulls(value: Any) -> Any:
    """Without the null members of structs: a column cannot tell null from absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _refuse(flaws: list[str], where: str) -> None:
    if flaws:
        raise DatasetError(f"{where}: {'; '.join(flaws)}")


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{where}:{line}: not UTF-8 (byte 0x{content[error.start]:02x}). Save it as UTF-8."
        ) from error


_JSONL = Format(
    _jsonl,
    Layout(
        unit="line",
        shape=f"a line is {{{_KEYS}}}",
        first=f"Add at least one line: {_EXAMPLE}",
    ),
)

FORMATS = {
    ".jsonl": _JSONL,
    ".ndjson": _JSONL,
    ".json": Format(
        _json,
        Layout(
            unit="line",
            shape=f"the file is a list of {{{_KEYS}}}",
            first=f"Add at least one case: [{_EXAMPLE}]",
        ),
    ),
    ".yaml": Format(
        _yaml,
        Layout(
            unit="line",
            shape=f"the file is a list of {{{_KEYS}}}",
            first='Add at least one case: - inputs: {question: "…"}',
        ),
    ),
    ".csv": Format(
        _csv,
        Layout(
            unit="line",
            shape=f"the file {_COLUMNS}",
            first="Add a first line with columns, such as id,inputs.question, and lines below it.",
        ),
    ),
    ".parquet": Format(
        _parquet,
        Layout(
            unit="row",
            shape=f"the file {_COLUMNS}",
            first="Add at least one row with a column such as inputs.question.",
        ),
    ),
}
