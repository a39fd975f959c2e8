"""Flips: the cases whose scores changed most between baseline and candidate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from vcmp.metrics import text_of
from vcmp.reports.diffs import outputs
from vcmp.reports.lookups import has_results, scripted_mark
from vcmp.types import Case, Comparison, Evaluation, Result

OUTPUT = 800
"""Characters of an output that a flip shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One score of a case, before and after; means over the repeats."""

    metric: str
    before: float
    after: float
    mark: str = ""
    """Stands beside a scripted judge's score."""
    rationale: str = ""
    """Why the scorer gave the candidate's output what it gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A case whose scores changed."""

    case_id: str
    tags: tuple[str, ...]
    question: str
    """"" where the case is known by its id alone."""
    changes: tuple[Change, ...]
    """The scores that changed, those that the flip is about first."""
    output: str
    """The baseline's and the candidate's output as a difference; "" where they are not at hand."""
    notes: tuple[str, ...]


def regressions(comparison: Comparison, metrics: Sequence[str], limit: int) -> tuple[Flip, ...]:
    """The `limit` cases that lost most in any of `metrics`; ties go by the sum of all losses."""
    return _extremes(comparison, metrics, limit, sign=1)


def improvements(comparison: Comparison, metrics: Sequence[str], limit: int) -> tuple[Flip, ...]:
    """The `limit` cases that gained most in any of `metrics`."""
    return _extremes(comparison, metrics, limit, sign=-1)


def count(comparison: Comparison, metrics: Sequence[str], sign: int) -> int:
    """Cases that lost (sign 1) or gained (sign -1) in at least one of `metrics`."""
    return sum(min(gains) < 0 for gains in _gains(comparison, metrics, sign).values())


def worst(comparison: Comparison, metric: str) -> list[str]:
    """The cases that lost in `metric`, those that lost most first; of a measurement, those that
    grew."""
    pairs = comparison.pairs.get(metric)
    if not pairs:
        return []
    losses = {
        case_id: gains[0]
        for case_id, gains in _gains(comparison, [metric], 1 if pairs.score else -1).items()
        if gains[0] < 0
    }
    return sorted(losses, key=lambda case_id: (losses[case_id], case_id))


def count_cut(comparison: Comparison, metrics: Sequence[str]) -> int:
    """Of the cases that lost, those with an answer of the candidate cut at its token limit."""
    lost = {case for case, gains in _gains(comparison, metrics, 1).items() if min(gains) < 0}
    cut = {result.case_id for result in comparison.candidate.results if _is_cut(result)}
    return len(lost & cut)


def _is_cut(result: Result) -> bool:
    return result.finish == "length" and not result.error


def _gains(comparison: Comparison, metrics: Sequence[str], sign: int) -> dict[str, list[float]]:
    """Gains in all of `metrics` by case; losses when `sign` is -1. Rounding is no gain."""
    gains: dict[str, list[float]] = {}
    for metric in metrics:
        pairs = comparison.pairs.get(metric)
        if pairs:
            sides = zip(pairs.case_ids, pairs.baseline, pairs.candidate, strict=True)
            for case_id, before, after in sides:
                gains.setdefault(case_id, []).append(sign * round(after - before, 9))
    return gains


def _extremes(
    comparison: Comparison, metrics: Sequence[str], limit: int, sign: int
) -> tuple[Flip, ...]:
    gains = _gains(comparison, metrics, sign)
    lost = [case_id for case_id, numbers in gains.items() if min(numbers) < 0]
    lost.sort(key=lambda case_id: (min(gains[case_id]), sum(gains[case_id]), case_id))
    cases = {case.id: case for case in comparison.candidate.dataset.cases}
    first = (cases.get(case_id) or Case(id=case_id, inputs={}) for case_id in lost[:limit])
    return tuple(_flip(comparison, case, metrics, sign) for case in first)


def _flip(comparison: Comparison, case: Case, metrics: Sequence[str], sign: int) -> Flip:
    """The repeats shown are those that speak most for the change."""
    changes = _changes(comparison, case, metrics, sign)
    names = [change.metric for change in changes]
    before = _repeat(comparison.baseline, case, names, sign)
    after = _repeat(comparison.candidate, case, names, -sign)
    return Flip(
        case_id=case.id,
        tags=case.tags,
        question=question(case),
        changes=tuple(replace(c, rationale=_rationale(after, c.metric)) for c in changes),
        output=outputs(_said(before), _said(after), OUTPUT)
        if has_results(comparison.candidate)
        else "",
        notes=tuple(_notes(after, comparison.candidate.repeats)),
    )


def _changes(comparison: Comparison, case: Case, metrics: Sequence[str], sign: int) -> list[Change]:
    changes = []
    for metric in metrics:
        pairs = comparison.pairs.get(metric)
        if pairs and case.id in pairs.case_ids:
            place = pairs.case_ids.index(case.id)
            mark = scripted_mark(comparison.candidate, metric)
            before, after = pairs.baseline[place], pairs.candidate[place]
            if round(after - before, 9):
                changes.append(Change(metric=metric, before=before, after=after, mark=mark))
    return sorted(changes, key=lambda change: sign * (change.after - change.before))


def question(case: Case) -> str:
    """What the agent was asked: the only input, or all of them as JSON."""
    inputs = dict(case.inputs)
    if not inputs:
        return ""
    return text_of(next(iter(inputs.values())) if len(inputs) == 1 else inputs)


def _repeat(evaluation: Evaluation, case: Case, metrics: Sequence[str], sign: int) -> Result | None:
    """The repeat of a case with the highest (sign 1) or lowest (sign -1) scores."""
    results = [result for result in evaluation.results if result.case_id == case.id]

    def place(result: Result) -> tuple[float, int]:
        values = [value for metric in metrics if (value := result.value(metric)) is not None]
        return (-sign * fmean(values) if values else 0.0, result.repeat)

    return min(results, key=place, default=None)


def _said(result: Result | None) -> str:
    if result is None:
        return "(not run)"
    return f"(failed) {result.error}" if result.error else text_of(result.output) or "(empty)"


def _rationale(result: Result | None, metric: str) -> str:
    score = result.scores.get(metric) if result else None
    return score.rationale if score else ""


def _notes(result: Result | None, repeats: int) -> list[str]:
    if result is None:
        return []
    notes = [f"repeat {result.repeat + 1} of {repeats}"] if repeats > 1 else []
    if _is_cut(result):
        notes.append("the output was cut at the token limit")
    return notes
