"""Cells: what a text, a number of pandas or nothing at all stands for."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vcmp.errors import ConfigError

Value = TypeVar("Value")
GUARD = "'"
"""Before a name that a spreadsheet would take for a formula; it hides the sign."""
_FORMULA = re.compile("[=+@\\s＝＋－＠'-]")
"""How a formula may begin (OWASP, "CSV injection"), or a name that seems to be guarded."""


def guard(name: str) -> str:
    """A name as a cell that no spreadsheet takes for a formula; `texts` reads the name again.

    Halves of characters, which UTF-8 cannot hold, are spelt out.
    """
    cell = name.encode(errors="backslashreplace").decode()
    return f"{GUARD}{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith(GUARD) and _FORMULA.match(cell, 1) else cell


def texts(values: Sequence[Any]) -> list[str]:
    """Cells as texts without guards and without white space around them; what is no value is ""."""
    try:
        stripped = list(map(str.strip, values))  # all that a CSV file has
    except TypeError:
        stripped = [_text(value) for value in values]
    return list(map(_unguarded, stripped))


def numbers(where: str, column: str, values: Sequence[Any]) -> list[float | None]:
    """Cells as numbers, true and false as 1 and 0; an empty one is None.

    Raises:
        ConfigError: One is no number. Lines are counted as in a file whose first is the head.
    """
    try:
        return _each_once(_number, values)
    except ValueError:
        line, value = next(_wrong(values))
    raise ConfigError(
        f"{where}, line {line}: {column} {value!r} is no number. Leave the cell empty where there "
        "is no value."
    )


def is_nothing(value: Any) -> bool:
    """Whether a cell has no value; a DataFrame has nan, NaT or NA in its place."""
    return value is None or type(value).__name__ == "NAType" or value == "" or value != value


def _each_once(convert: Callable[[Any], Value], values: Sequence[Any]) -> list[Value]:
    """`convert` of each value, asked once for those that are equal: most scores are 0 or 1."""
    try:
        known = {value: convert(value) for value in set(values)}
    except TypeError:  # a list in a cell is not hashable
        return [convert(value) for value in values]
    return [known[value] for value in values]


def _wrong(values: Sequence[Any]) -> Any:
    for line, value in enumerate(values, start=2):
        try:
            _number(value)
        except ValueError:
            yield line, value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if is_nothing(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip()
        if value.lower() in ("true", "false"):
            return float(value.lower() == "true")
    if is_nothing(value):
        return None
    try:
        number = float(value)
    except TypeError as error:
        raise ValueError(f"{value!r} is no number") from error
    if math.isinf(number):
        raise ValueError(f"{value!r} is not finite")
    return None if math.isnan(number) else number + 0.0  # which makes 0.0 of -0.0
