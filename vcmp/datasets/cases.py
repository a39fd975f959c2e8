"""From numbered rows to cases: every rule a row must keep, and one message for all that break one.

A row is a mapping `{"id", "inputs", "expectations", "cluster", "tags"}` of which only `inputs` is
required; null counts as absent.
"""

import math
import reprlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vcmp.digests import digest_of
from vcmp.errors import DatasetError, suggest
from vcmp.types import Case, Dataset

KEYS = ("id", "inputs", "expectations", "cluster", "tags")
MAX_LABEL_CHARS = 200  # of ids, clusters and tags: they become keys and headings elsewhere
MAX_DEPTH = 100  # of nested lists and mappings: well below what a recursive writer can take
MAX_LISTED = 20
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories: controls, bidi marks, line breaks


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands in the place of a row that its reader could not make out."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How messages speak of one format."""

    unit: str = "row"
    """What a row's number counts: `line` or `row`."""
    shape: str = 'a row is {"id": …, "inputs": {…}, "expectations": {…}, "cluster": …, "tags": […]}'
    first: str = 'Add at least one row: {"inputs": {"question": "…"}}'
    """What to add to a dataset without cases."""


ROWS = Layout()


@dataclass(frozen=True, slots=True)
class _Problem:
    line: int
    text: str
    advice: str = ""


def build(
    rows: Iterable[tuple[int, Any]],
    *,
    name: str,
    where: str,
    limit: int | None = None,
    layout: Layout = ROWS,
) -> Dataset:
    """Check numbered rows and make a dataset of them.

    A row without an id gets one from its inputs and expectations, 12 hexadecimal digits, so that
    it stays the same when rows are added or moved. Ids and clusters may be integers and are kept
    as text; `tags` may be a mapping, whose items become `key:value`.

    Args:
        rows: Line or row number, counted from 1, and the row.
        where: What messages name: the path as the user gave it.
        limit: Keep the first `limit` cases; rows beyond it are still checked.

    Raises:
        DatasetError: There is no case, or some rows cannot be used; all of them are listed.
    """
    if limit is not None and limit < 1:
        raise DatasetError(f"{where}: limit {limit!r} leaves no cases. Use 1 or more, or null.")
    cases: list[Case] = []
    problems: list[_Problem] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        found = list(_problems(line, row, seen, layout))
        problems += found
        if not found:
            cases.append(_case(row))
    if problems:
        raise DatasetError(_message(problems, where, layout))
    if not cases:
        raise DatasetError(f"{where}: no cases. {layout.first}")
    return Dataset(name=name, cases=tuple(cases[:limit]))


def _case(row: Mapping[str, Any]) -> Case:
    return Case(
        id=_id(row),
        inputs=dict(row["inputs"]),
        expectations=dict(row.get("expectations") or {}),
        cluster="" if row.get("cluster") is None else str(row["cluster"]),
        tags=_tags(row.get("tags")),
    )


def _id(row: Mapping[str, Any]) -> str:
    if row.get("id") is not None:
        return str(row["id"])
    return digest_of([row["inputs"], row.get("expectations") or {}])[:12]


def _tags(tags: Any) -> tuple[str, ...]:
    if isinstance(tags, Mapping):
        return tuple(f"{key}:{value}" for key, value in tags.items())
    return tuple(map(str, tags or ()))


def _problems(line: int, row: Any, seen: dict[str, int], layout: Layout) -> Iterator[_Problem]:
    """All that is wrong with one row; its id is looked up in `seen`, and noted there."""
    if isinstance(row, Unreadable):
        yield _Problem(line, row.reason)
        return
    if not isinstance(row, Mapping):
        yield _Problem(line, f"{_shown(row)} is not a mapping", f"; {layout.shape}")
        return
    flaws = [*_unknown_keys(row), *_content_flaws(row), *_label_flaws(row)]
    yield from (_Problem(line, flaw) for flaw in flaws)
    # Without sound inputs there is no id from the content, but a written one still counts.
    if row.get("id") is not None or not flaws:
        yield from _repeated(line, row, seen, layout)


def _repeated(
    line: int, row: Mapping[str, Any], seen: dict[str, int], layout: Layout
) -> Iterator[_Problem]:
    case_id = _id(row)
    first = seen.setdefault(case_id, line)
    if first == line:
        return
    place = f"{layout.unit} {first}"
    if row.get("id") is None:
        text, advice = f"the same inputs and expectations as {place}", ". Give one of them an id."
    else:
        text = f"case id {case_id!r} is used twice (first on {place})"
        advice = "; results are joined on it, so ids must be unique"
    yield _Problem(line, text, advice)


def _unknown_keys(row: Mapping[str, Any]) -> Iterator[str]:
    for key in row:
        if key not in KEYS:
            hint = suggest(str(key), KEYS) or f" It can have {', '.join(KEYS)}."
            yield f"unknown key {_shown(key)}.{hint}"


def _content_flaws(row: Mapping[str, Any]) -> Iterator[str]:
    inputs, expectations = row.get("inputs"), row.get("expectations")
    if inputs is None:
        # A misspelt 'inputs' has been reported with its right name.
        if "inputs" in row or not any("'inputs'" in suggest(str(key), KEYS) for key in row):
            yield "inputs is missing"
    elif not isinstance(inputs, Mapping) or not inputs:
        yield f"inputs is {_shown(inputs)}, not a mapping with at least one input"
    else:
        yield from _value_flaws(inputs, "inputs")
    if expectations is not None and not isinstance(expectations, Mapping):
        yield f"expectations is {_shown(expectations)}, not a mapping"
    elif expectations:
        yield from _value_flaws(expectations, "expectations")


def _value_flaws(value: Any, place: str, depth: int = 1) -> Iterator[str]:
    """What JSON cannot hold, with the place where it stands: `inputs.history[2].when`."""
    if depth > MAX_DEPTH:
        yield f"{place[:40]}… is nested more than {MAX_DEPTH} deep"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _text_flaws(key, f"a key of {place}")
                yield from _value_flaws(item, f"{place}.{key}", depth + 1)
            else:
                yield f"{place} has the key {_shown(key)}, which is not text"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_flaws(item, f"{place}[{index}]", depth + 1)
    elif isinstance(value, str):
        yield from _text_flaws(value, place)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{place} is {value}, which is not a JSON number"
    elif value is not None and not isinstance(value, int):
        yield f"{place} is a {type(value).__name__}, which is not a JSON value"


def _text_flaws(text: str, place: str) -> Iterator[str]:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        yield f"{place} holds {text[error.start]!r}, half of a surrogate pair"


def _label_flaws(row: Mapping[str, Any]) -> Iterator[str]:
    for key, name in (("id", "case id"), ("cluster", "cluster")):
        if row.get(key) is not None:
            yield from _label_flaw(row[key], name)
    tags = row.get("tags")
    if isinstance(tags, Mapping):
        tags = list(_tags(tags))
    if tags is not None and not isinstance(tags, list):
        yield f"tags is {_shown(tags)}, not a list"
    else:
        for tag in tags or ():
            yield from _label_flaw(tag, "tag")


def _label_flaw(label: Any, name: str) -> Iterator[str]:
    """What keeps an id, a cluster or a tag from being a plain short text."""
    if isinstance(label, int) and not isinstance(label, bool):
        return
    if not isinstance(label, str):
        yield f"{name} {_shown(label)} is not text"
    elif len(label) > MAX_LABEL_CHARS:
        yield f"{name} {_shown(label)} has {len(label)} characters, more than {MAX_LABEL_CHARS}"
    elif unseen := [sign for sign in label if unicodedata.category(sign) in UNSEEN]:
        yield f"{name} {_shown(label)} holds the control character {unseen[0]!a}"
    elif label != label.strip() or not label:
        yield f"{name} {label!r} is empty or has spaces round it"


def _shown(value: Any) -> str:
    """`value` on one line, cut in the middle when it is long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(value).replace("\n", " ")


def _message(problems: list[_Problem], where: str, layout: Layout) -> str:
    if len(problems) == 1:
        [problem] = problems
        return f"{where}:{problem.line}: {problem.text}{problem.advice}"
    n_lines = len({problem.line for problem in problems})
    listed = [f":{problem.line}: {problem.text}" for problem in problems[:MAX_LISTED]]
    if len(problems) > MAX_LISTED:
        listed.append(f"and {len(problems) - MAX_LISTED} more")
    return (
        f"{where}: {n_lines} {layout.unit}{'' if n_lines == 1 else 's'} cannot be used.\n"
        f"  {'; '.join(listed)}\n"
        f"  {layout.shape[0].upper()}{layout.shape[1:]}; only inputs is required, ids are unique."
    )
