"""From columns to trials: the lines of each variant by scorer, case and repeat."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from vcmp.errors import ConfigError
from vcmp.tables.cells import numbers, texts
from vcmp.tables.columns import Columns
from vcmp.tables.trials import ERROR, Cell, Trial
from vcmp.types import Case

CANDIDATE = "candidate"
"""Name of a variant that has none."""
BASELINE = "baseline"
"""Name of what the variants are compared with."""
ERROR_RATE = "error_rate"
"""What rules call the mean of the scorer `error`."""
NO_INPUTS: Mapping[str, Any] = {}
"""A table does not have them."""
Lines = Mapping[str, Sequence[str]]
"""The columns that are names, as texts."""


def group(
    where: str, columns: Columns, measurements: Collection[str], lower: Collection[str] = ()
) -> tuple[Trial, ...]:
    """One trial for each variant, by name. Neither the order of lines nor that of columns matters.

    A case that only some variants have a line for is a case of all: it counts as missing where
    there is none.

    Args:
        where: What to call the table in messages.
        columns: As `columns_of` gives them.
        measurements: Metrics that are no scores.
        lower: Scores of which less is better.

    Raises:
        ConfigError: A value is no number, a line is there twice, a case is in two clusters, or a
            name cannot be used.
    """
    lines = _lines(columns)
    values = [numbers(where, side, columns[side]) for side in ("baseline", "candidate")]
    _check(where, lines, values)
    cells = _cells(where, lines, values)
    cases = _cases(where, lines)
    errors_known = any(ERROR in by_scorer for by_scorer in cells.values())
    return tuple(
        Trial(
            variant=variant,
            cases=cases,
            cells={scorer: _ordered(by_scorer[scorer]) for scorer in sorted(by_scorer)},
            measurements=frozenset(measurements),
            lower=frozenset(lower),
            errors_known=errors_known,
        )
        for variant, by_scorer in sorted(cells.items())
    )


def _lines(columns: Columns) -> Lines:
    n = len(columns["case_id"])
    lines = {
        name: texts(columns[name]) if name in columns else [""] * n
        for name in ("variant", "case_id", "cluster", "tag", "repeat", "scorer")
    }
    lines["variant"] = [name or CANDIDATE for name in lines["variant"]]
    lines["repeat"] = [run or "0" for run in lines["repeat"]]
    return lines


def _check(where: str, lines: Lines, values: Sequence[Sequence[float | None]]) -> None:
    for name in ("case_id", "scorer"):
        if "" in lines[name]:
            raise _wrong(where, lines[name].index(""), f"has no {name}. Give it one.")
    if BASELINE in lines["variant"]:
        raise _wrong(
            where,
            lines["variant"].index(BASELINE),
            "variant 'baseline' is the name of what variants are compared with. Rename it.",
        )
    if ERROR_RATE in lines["scorer"]:
        raise _wrong(
            where,
            lines["scorer"].index(ERROR_RATE),
            "scorer 'error_rate' is what rules call the mean of 'error'. Name it 'error', 0 or 1 "
            "for each run.",
        )
    if ERROR not in lines["scorer"]:
        return
    for line, (scorer, *both) in enumerate(zip(lines["scorer"], *values, strict=True)):
        if scorer == ERROR and not {0.0, 1.0, None}.issuperset(both):
            raise _wrong(where, line, "error is 1 for a run that failed and 0 for any other.")


def _cells(
    where: str, lines: Lines, values: Sequence[Sequence[float | None]]
) -> dict[str, dict[str, dict[str, dict[str, Cell]]]]:
    """By variant, scorer, case and repeat."""
    cells: dict[str, dict[str, dict[str, dict[str, Cell]]]] = {}
    names = (lines[name] for name in ("variant", "scorer", "case_id", "repeat"))
    for line, (variant, scorer, case_id, run, before, after) in enumerate(
        zip(*names, *values, strict=True)
    ):
        by_run = cells.setdefault(variant, {}).setdefault(scorer, {}).setdefault(case_id, {})
        if run in by_run:
            raise _wrong(
                where,
                line,
                f"{scorer} of case {case_id!r}, repeat {run} is there twice. Number the repeats.",
            )
        by_run[run] = (before, after)
    return cells


def _ordered(by_case: Mapping[str, Mapping[str, Cell]]) -> dict[str, Mapping[str, Cell]]:
    return {
        case_id: runs if len(runs) == 1 else dict(sorted(runs.items()))
        for case_id, runs in by_case.items()
    }


def _cases(where: str, lines: Lines) -> tuple[Case, ...]:
    parts = {tag: {part.strip() for part in tag.split(";")} - {""} for tag in set(lines["tag"])}
    known: dict[str, tuple[str, set[str]]] = {}
    for case_id, cluster, tag in set(_marks(lines)):
        first, tags = known.get(case_id, (cluster, set()))
        if first != cluster:
            raise _in_two_clusters(where, lines, case_id)
        known[case_id] = (cluster, tags | parts[tag])
    return tuple(
        Case(id=case_id, inputs=NO_INPUTS, cluster=cluster, tags=tuple(sorted(tags)))
        for case_id, (cluster, tags) in sorted(known.items())
    )


def _marks(lines: Lines) -> Iterator[tuple[str, str, str]]:
    return zip(lines["case_id"], lines["cluster"], lines["tag"], strict=True)


def _in_two_clusters(where: str, lines: Lines, case_id: str) -> ConfigError:
    own = [(n, mark[1]) for n, mark in enumerate(_marks(lines)) if mark[0] == case_id]
    line, cluster = next((n, name) for n, name in own if name != own[0][1])
    here, above = (f"in cluster {name!r}" if name else "in none" for name in (cluster, own[0][1]))
    return _wrong(where, line, f"case {case_id!r} is {here}, and {above} above. Give it one.")


def _wrong(where: str, line: int, what: str) -> ConfigError:
    """An error in a line; they are counted as in a file, whose first is the head."""
    return ConfigError(f"{where}, line {line + 2}: {what}")
