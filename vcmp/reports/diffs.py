"""Differences of texts and of parameters, line by line."""

import difflib
import json
import textwrap
from collections.abc import Mapping
from typing import Any

from vcmp.reports.text import cut

WIDTH = 96
"""Columns after which an output is wrapped, so that a reader need not scroll sideways."""
LONG = 80
"""Characters after which a parameter is a text of its own and gets its own difference."""


def unified(before: str, after: str, *, context: int = 3) -> str:
    """The lines that differ, each after `-`, `+` or a space; "" when the texts are equal."""
    lines = difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=context)
    return "\n".join(list(lines)[2:])


def outputs(before: str, after: str, limit: int) -> str:
    """Two outputs whole, up to `limit` characters each, as one difference."""
    old, new = _wrapped(before, limit), _wrapped(after, limit)
    if old == new:
        return "\n".join(f"  {line}" for line in old)
    marks = {" ": "  ", "-": "- ", "+": "+ "}
    lines = list(difflib.unified_diff(old, new, lineterm="", n=limit))[3:]
    return "\n".join(marks[line[0]] + line[1:] for line in lines)


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Parameters by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The parameters that differ, one `name: value` a line, texts left out."""
    old, new = flatten(before), flatten(after)
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        sides = [("-", old), ("+", new)]
        if old.get(name) == new.get(name) and name in old and name in new:
            continue
        if not any(_is_text(side.get(name)) for _, side in sides):
            lines += [
                f"{sign} {name}: {_plain(side[name])}" for sign, side in sides if name in side
            ]
    return "\n".join(lines)


def texts(
    before: Mapping[str, Any], after: Mapping[str, Any], limit: int = 20_000
) -> tuple[tuple[str, str], ...]:
    """Each prompt or other long parameter that differs, with its difference."""
    old, new = flatten(before), flatten(after)
    found = []
    for name in sorted(old.keys() | new.keys()):
        sides = (old.get(name, ""), new.get(name, ""))
        if sides[0] != sides[1] and any(map(_is_text, sides)):
            left, right = (cut(_plain(side), limit) for side in sides)
            found.append((name, unified(left, right) or f"  differs after {limit:,} characters"))
    return tuple(found)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and ("\n" in value or len(value) > LONG)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").rstrip("\n").split("\n") if text else []


def _wrapped(text: str, limit: int) -> list[str]:
    return [
        piece for line in _lines(cut(text, limit)) for piece in textwrap.wrap(line, WIDTH) or [""]
    ]
