"""The columns of a table: which there are, and which have to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from vcmp.errors import ConfigError, suggest

NEEDED = ("case_id", "scorer", "baseline", "candidate")
OPTIONAL = ("variant", "cluster", "tag", "repeat")
COLUMNS = ("variant", "case_id", "cluster", "tag", "repeat", "scorer", "baseline", "candidate")
MISSPELT = 0.85
"""Likeness from which on the name of a column is taken for a mistake."""
Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of equal length, checked."""

    where: str
    """What to call the table in messages."""
    columns: Columns


def checked(where: str, names: Sequence[str], lists: Sequence[Sequence[Any]]) -> Columns:
    """The columns that count, by name.

    Raises:
        ConfigError: One that is needed is missing, one is there twice or seems misspelt, or there
            is no line.
    """
    for name in NEEDED:
        if name not in names:
            raise ConfigError(
                f"{where}: has no column {name!r}.{suggest(name, names)}\n"
                f"  It needs {', '.join(NEEDED)}; {', '.join(OPTIONAL)} are optional."
            )
    for name in COLUMNS:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: has column {name!r} twice. Rename or remove one.")
    _refuse_misspelt(where, names)
    columns = {name: values for name, values in zip(names, lists, strict=True) if name in COLUMNS}
    if len({len(values) for values in columns.values()}) > 1:
        raise ConfigError(f"{where}: its columns are not of one length. Mend it.")
    if not columns["case_id"]:
        raise ConfigError(f"{where}: has no line. Give one for each case, repeat and scorer.")
    return columns


def _refuse_misspelt(where: str, names: Sequence[str]) -> None:
    """A column that is not known is not read; but nobody means a cluster to be left out."""
    missing = [name for name in OPTIONAL if name not in names]
    for name in names:
        meant = get_close_matches(name.lower(), missing, n=1, cutoff=MISSPELT)
        if name not in COLUMNS and meant:
            raise ConfigError(
                f"{where}: has a column {name!r}, which nothing reads. Did you mean {meant[0]!r}?"
            )
