"""Pair two versions case by case."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from vcmp.comparison.observations import (
    is_bounded,
    is_score,
    mean,
    noise,
    observe,
    sample,
)
from vcmp.comparison.slices import slice_by_tag
from vcmp.comparison.yardstick import check_yardstick
from vcmp.statistics import paired_difference
from vcmp.types import (
    TIE,
    Arm,
    Case,
    Comparison,
    Dataset,
    Delta,
    Evaluation,
    Interval,
    Paired,
    Preference,
    Sample,
    ScorerCard,
)

CONFIDENCE = 0.95


def compare(
    baseline: Evaluation,
    candidate: Evaluation,
    preferences: Sequence[Preference] = (),
    judges: Mapping[str, ScorerCard] | None = None,
    lower: frozenset[str] = frozenset(),
) -> Comparison:
    """Pair two evaluations case by case.

    Scores are taken over all cases that have a value on both sides, of those that both were asked.
    A failed agent has one, the worst, so a candidate cannot look better by failing on the hard
    cases; an unscored result has none, and a case left without a pair is counted in
    `Paired.n_cases` for a gate to judge. Measurements leave failed results out. Repeats are
    averaged inside the case. Neither the order of results nor that of cases matters. What the
    candidate has by itself is over all its cases.

    Args:
        preferences: What pairwise judges thought of the outputs of these two. Each judge is a
            metric, on which the baseline has 0.5 everywhere. What they thought of other cases does
            not count.
        judges: The cards of these judges, by metric.

        lower: Scores of which less is better: the worst, which a failed agent has, is then 1.

    Returns:
        Pairs and deltas by metric: scorers in alphabetical order, then measurements, then `error`.
        A metric that no case has on both sides has neither.

    Raises:
        ComparisonError: The two were not measured with the same yardstick: dataset, scorers, judge
            models. A scorer that only one side has is no difference; it is left out.
    """
    check_yardstick(baseline, candidate)
    arms = observe(baseline, lower), observe(candidate, lower)
    sides = [baseline, candidate]
    cases = {case.id for case in candidate.dataset.cases}
    preferences = [each for each in preferences if each.case_id in cases]
    if preferences:
        arms, sides = _with_preferences(arms, sides, preferences, judges or {})
    shared = [case for case in baseline.cases if candidate.n_asked_of(case.id)]
    compared = pair(*arms, shared, baseline=sides[0], candidate=sides[1])
    return replace(
        compared,
        samples=_samples(arms[1], candidate.cases),
        swayed=_swayed(preferences, baseline, candidate),
        agreement=_agreement(preferences),
    )


def examine(evaluation: Evaluation, lower: frozenset[str] = frozenset()) -> Comparison:
    """One version that is compared with nothing: it stands on both sides, and there are no pairs.

    Args:
        lower: Scores of which less is better.
    """
    arm, cases = observe(evaluation, lower), evaluation.cases
    return Comparison(
        baseline=evaluation,
        candidate=evaluation,
        pairs={},
        deltas={},
        samples=_samples(arm, cases),
        n_cases=len(cases),
    )


def restrict(evaluation: Evaluation, case_ids: Iterable[str]) -> Evaluation:
    """The same evaluation, as if its dataset had only these cases."""
    kept = set(case_ids)
    if len(kept) == len(evaluation.dataset.cases):
        return evaluation
    return replace(
        evaluation,
        dataset=Dataset(
            name=evaluation.dataset.name,
            cases=tuple(case for case in evaluation.dataset.cases if case.id in kept),
        ),
        results=tuple(result for result in evaluation.results if result.case_id in kept),
        asked=None
        if evaluation.asked is None
        else {case_id: n for case_id, n in evaluation.asked.items() if case_id in kept},
    )


def pair(
    before: Arm, after: Arm, cases: Sequence[Case], *, baseline: Evaluation, candidate: Evaluation
) -> Comparison:
    """Pair what was seen of two versions.

    Args:
        before: Of the baseline.
        after: Of the candidate.
        cases: All cases that both were to be evaluated on; only ids, clusters and tags count.
        baseline: Who it was; of its results nothing is read.
        candidate: Likewise.
    """
    ordered = sorted(cases, key=lambda case: case.id)
    pairs = {}
    for metric in before.values:
        if metric in after.values:
            paired = _pair(before, after, metric, ordered)
            if paired.case_ids:
                pairs[metric] = paired
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        pairs=pairs,
        deltas={metric: _delta(paired) for metric, paired in pairs.items()},
        samples=_samples(after, ordered),
        n_cases=len(cases),
        slices={
            metric: slices
            for metric, paired in pairs.items()
            if paired.score and (slices := slice_by_tag(paired))
        },
    )


def _samples(arm: Arm, cases: Sequence[Case]) -> dict[str, Sample]:
    ordered = sorted(cases, key=lambda case: case.id)
    clusters = {case.id: case.cluster for case in ordered}
    return {metric: sample(arm, metric, clusters, clusters) for metric in arm.values}


def _pair(before: Arm, after: Arm, metric: str, cases: Sequence[Case]) -> Paired:
    left, right = before.values[metric], after.values[metric]
    paired = [case for case in cases if case.id in left and case.id in right]
    ids = tuple(case.id for case in paired)
    score = is_score(metric, after)
    scored = (_count(left), _count(right))
    return Paired(
        metric=metric,
        case_ids=ids,
        clusters=tuple(case.cluster or case.id for case in paired),
        baseline=tuple(mean(left[case_id]) for case_id in ids),
        candidate=tuple(mean(right[case_id]) for case_id in ids),
        scored=scored,
        asked=(before.asked.get(metric, 0), after.asked.get(metric, 0)),
        n_cases=len(cases),
        score=score,
        bounded=metric not in after.measurements
        and is_bounded(left.values())
        and is_bounded(right.values()),
        tags=_tags(paired),
        repeats=sum(scored) / (len(left) + len(right)),
        noise=noise((left, right), ids),
    )


def _count(values: Mapping[str, Sequence[float]]) -> int:
    return sum(map(len, values.values()))


def _tags(cases: Sequence[Case]) -> tuple[tuple[str, ...], ...]:
    return tuple(case.tags for case in cases) if any(case.tags for case in cases) else ()


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
        paired.baseline, paired.candidate, paired.clusters, bounded=paired.bounded
    )
    low, high = evidence.bounds((1 - CONFIDENCE) / 2)
    return Interval(low=low, high=high, confidence=CONFIDENCE)


def _with_preferences(
    arms: tuple[Arm, Arm],
    sides: Sequence[Evaluation],
    preferences: Sequence[Preference],
    judges: Mapping[str, ScorerCard],
) -> tuple[tuple[Arm, Arm], list[Evaluation]]:
    """Each pairwise judge as one more metric and scorer of both sides."""
    values: dict[str, dict[str, list[float]]] = {}
    for preference in preferences:
        cases = values.setdefault(preference.metric, {})
        if preference.value is not None:
            cases.setdefault(preference.case_id, []).append(preference.value)
    scored = {metric: cases for metric, cases in values.items() if cases}
    ties = {
        metric: {case_id: [TIE] * len(repeats) for case_id, repeats in cases.items()}
        for metric, cases in scored.items()
    }
    asked = {metric: sum(p.metric == metric for p in preferences) for metric in values}
    before, after = (
        replace(arm, values={**more, **arm.values}, asked={**asked, **arm.asked})
        for arm, more in zip(arms, (ties, scored), strict=True)
    )
    cards = {m: judges.get(m) or ScorerCard(digest="", judge=True) for m in values}
    named = [replace(side, scorers={**cards, **side.scorers}) for side in sides]
    return (before, after), named


def _swayed(
    preferences: Sequence[Preference], baseline: Evaluation, candidate: Evaluation
) -> dict[str, float]:
    """By pairwise judge, the share of its judgements that the order decided.

    Pairs that no judge had to see, since one side failed or the outputs are equal, would hide it.
    """
    before, after = (
        {(result.case_id, result.repeat): result for result in side.results}
        for side in (baseline, candidate)
    )
    shown = {
        key
        for key in before.keys() & after.keys()
        if not (before[key].error or after[key].error) and before[key].output != after[key].output
    }
    given: dict[str, list[bool]] = {}
    for each in preferences:
        if each.value is not None and (each.case_id, each.repeat) in shown:
            given.setdefault(each.metric, []).append(each.swayed)
    return {metric: fmean(swayed) for metric, swayed in given.items()}


def _agreement(preferences: Sequence[Preference]) -> dict[str, float]:
    """By pairwise judge that voted, the mean share of the votes that agree."""
    given: dict[str, list[float]] = {}
    for each in preferences:
        if each.agreement is not None:
            given.setdefault(each.metric, []).append(each.agreement)
    return {metric: fmean(shares) for metric, shares in given.items()}
