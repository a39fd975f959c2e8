"""Columns: how a flat table, CSV or Parquet, holds cases.

`id`, `cluster`, `tags`, `inputs.<name>` and `expectations.<name>`; any other column is an input of
its own name. Instead of prefixed columns there may be one column `inputs` or `expectations` with a
JSON object or a struct.
"""

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from vcmp.datasets.cases import KEYS, Unreadable
from vcmp.datasets.lists import json_value

_MAPPINGS = ("inputs", "expectations")


def header_flaws(columns: list[str]) -> list[str]:
    """What is wrong with the names of the columns, in words; empty when nothing is."""
    if len(columns) == 1 and (sign := next((s for s in ";\t|" if s in columns[0]), "")):
        return [f"the columns are separated by {sign!r}. Separate them by commas."]
    flaws = [f"column {place} has no name" for place, c in enumerate(columns, 1) if not c.strip()]
    flaws += [f"two columns are called {c!r}" for c, n in Counter(columns).items() if n > 1 and c]
    flaws += [flaw for column in columns if (flaw := _name_flaw(column))]
    if not flaws:
        for mapping in _MAPPINGS:
            flaws += _mixture(columns, mapping)
    if columns and not any(_place(column)[0] == "inputs" for column in columns):
        flaws.append("no column holds an input. Name one inputs.question, for example.")
    return flaws


def row_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """One row from its values by column."""
    row: dict[str, Any] = {}
    for column, value in values.items():
        key, name = _place(column)
        if name:
            row.setdefault(key, {})[name] = value
        else:
            row[key] = value
    return row


def cell_values(header: list[str], cells: list[str]) -> dict[str, Any] | Unreadable:
    """The values of one CSV line by column, without those of empty cells."""
    values: dict[str, Any] = {}
    for column, cell in zip(header, cells, strict=False):
        if cell:
            value = _cell_value(column, cell)
            if isinstance(value, Unreadable):
                return Unreadable(f"column {column}: {value.reason}")
            values[column] = value
    return values


def _cell_value(column: str, cell: str) -> Any:
    if column in ("id", "cluster"):
        return cell
    value = json_value(cell) if cell.lstrip()[:1] in ("[", "{") else cell
    if column == "tags" and not isinstance(value, list):
        return [tag.strip() for tag in cell.split(";") if tag.strip()]
    if isinstance(value, Unreadable) and not cell.lstrip().startswith(('["', '{"')):
        return cell  # a text such as "[sic] …", and not JSON with a slip
    return value


def _place(column: str) -> tuple[str, str]:
    """The key of the row a column belongs to, and the name in it when that is a mapping."""
    if column in KEYS:
        return column, ""
    key, dot, name = column.partition(".")
    return (key, name) if dot else ("inputs", column)


def _name_flaw(column: str) -> str:
    key, dot, name = column.partition(".")
    if dot and (key not in _MAPPINGS or not name):
        return f"column {column!r} is neither inputs.<name> nor expectations.<name>"
    # It would be shown to the agent, which must never see what is expected of it.
    if not dot and key not in KEYS and difflib.get_close_matches(key, ["expectations"], cutoff=0.8):
        return f"column {column!r} would be an input. Did you mean 'expectations.<name>'?"
    return ""


def _mixture(columns: list[str], mapping: str) -> list[str]:
    others = [column for column in columns if _place(column)[0] == mapping and column != mapping]
    if mapping not in columns or not others:
        return []
    return [
        f"column {mapping!r} holds all {mapping}, so there cannot be a column {others[0]!r} too"
    ]
