"""Compare two evaluations, paired by case."""

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from vcmp.errors import ComparisonError
from vcmp.metrics import CHARGED, MEASUREMENTS, measure
from vcmp.statistics import paired_difference
from vcmp.types import (
    Comparison,
    Dataset,
    Delta,
    Evaluation,
    Interval,
    Paired,
    Plan,
    Result,
    ScorerCard,
)

CONFIDENCE = 0.95


def compare(baseline: Evaluation, candidate: Evaluation) -> Comparison:
    """Pair two evaluations case by case.

    Scores are taken over all cases that have a value on both sides. A failed agent has one, the
    worst, so a candidate cannot look better by failing on the hard cases; an unscored result has
    none, and a case left without a pair is counted in `Paired.n_cases` for a gate to judge.
    Measurements leave failed results out. Repeats are averaged inside the case. Neither the order
    of results nor that of cases matters.

    Returns:
        Pairs and deltas by metric: scorers in alphabetical order, then measurements, then `error`.
        A metric that no case has on both sides has neither.

    Raises:
        ComparisonError: The two were not measured with the same yardstick: dataset, scorers, judge
            models. A scorer that only one side has is no difference; it is left out.
    """
    _refuse(_differences(baseline.dataset, candidate.dataset, baseline.scorers, candidate.scorers))
    pairs = {}
    for metric in _metrics(baseline, candidate):
        paired = _pair(baseline, candidate, metric)
        if paired.case_ids:
            pairs[metric] = paired
    deltas = {metric: _delta(paired) for metric, paired in pairs.items()}
    return Comparison(baseline=baseline, candidate=candidate, pairs=pairs, deltas=deltas)


def check_comparable(baseline: Evaluation, plan: Plan) -> None:
    """Refuse to evaluate a plan whose outcome could not be compared with the baseline.

    Raises:
        ComparisonError: As `compare` would, but before anything is paid for.
    """
    _refuse(_differences(baseline.dataset, plan.dataset, baseline.scorers, plan.cards))


def _refuse(differences: Iterable[str]) -> None:
    text = "; ".join(differences)
    if text:
        raise ComparisonError(
            f"not comparable: {text}.\n"
            "  Evaluate both versions on the same cases, with the same scorers and judges."
        )


def _differences(
    left: Dataset,
    right: Dataset,
    before: Mapping[str, ScorerCard],
    after: Mapping[str, ScorerCard],
) -> Iterator[str]:
    if left is not right and left.digest != right.digest:
        names = repr(left.name) if left.name == right.name else f"{left.name!r}, {right.name!r}"
        yield f"dataset digest differs ({names} {_against(left.digest, right.digest)})"
    for scorer in sorted(set(before) & set(after)):
        if before[scorer].model != after[scorer].model:
            models = f"{before[scorer].model!r} against {after[scorer].model!r}"
            yield f"judge model of {scorer!r} differs ({models})"
        elif before[scorer].digest != after[scorer].digest:
            digests = _against(before[scorer].digest, after[scorer].digest)
            yield f"scorer {scorer!r} differs ({digests})"


def _against(before: str, after: str) -> str:
    return f"{before[:8]}… against {after[:8]}…"


def _metrics(baseline: Evaluation, candidate: Evaluation) -> Iterable[str]:
    scripted = baseline.answerer.scripted or candidate.answerer.scripted
    measurements = [name for name in MEASUREMENTS if not (scripted and name in CHARGED)]
    return [*sorted(set(baseline.scorers) & set(candidate.scorers)), *measurements, "error"]


def _is_score(metric: str) -> bool:
    return metric != "error" and metric not in MEASUREMENTS


def _pair(baseline: Evaluation, candidate: Evaluation, metric: str) -> Paired:
    before, after = _observations(baseline, metric), _observations(candidate, metric)
    cases = sorted(baseline.dataset.cases, key=lambda case: case.id)
    paired = [case for case in cases if case.id in before and case.id in after]
    return Paired(
        metric=metric,
        case_ids=tuple(case.id for case in paired),
        clusters=tuple(case.cluster or case.id for case in paired),
        baseline=tuple(fmean(before[case.id]) for case in paired),
        candidate=tuple(fmean(after[case.id]) for case in paired),
        scored=(sum(map(len, before.values())), sum(map(len, after.values()))),
        asked=(baseline.n_asked, candidate.n_asked),
        n_cases=len(cases),
        score=_is_score(metric),
    )


def _observations(evaluation: Evaluation, metric: str) -> dict[str, list[float]]:
    """The values of each case that has any, one for each of its repeats."""
    values: dict[str, list[float]] = {}
    for result in evaluation.results:
        value = _observe(result, metric)
        if value is not None:
            values.setdefault(result.case_id, []).append(value)
    return values


def _observe(result: Result, metric: str) -> float | None:
    if metric == "error":
        return float(bool(result.error))
    return result.value(metric) if _is_score(metric) else measure(result, metric)


def _delta(paired: Paired) -> Delta:
    differences = [b - a for a, b in zip(paired.baseline, paired.candidate, strict=True)]
    larger = sum(difference > 0 for difference in differences)
    smaller = sum(difference < 0 for difference in differences)
    return Delta(
        metric=paired.metric,
        baseline=fmean(paired.baseline),
        candidate=fmean(paired.candidate),
        difference=fmean(differences),
        interval=_interval(paired),
        n=len(differences),
        n_clusters=len(set(paired.clusters)),
        improved=larger if paired.score else smaller,
        regressed=smaller if paired.score else larger,
        same=len(differences) - larger - smaller,
        scored=paired.scored,
        asked=paired.asked,
        score=paired.score,
    )


def _interval(paired: Paired) -> Interval:
    evidence = paired_difference(
        paired.baseline,
        paired.candidate,
        paired.clusters,
        bounded=paired.metric not in MEASUREMENTS,
    )
    low, high = evidence.bounds((1 - CONFIDENCE) / 2)
    return Interval(low=low, high=high, confidence=CONFIDENCE)
