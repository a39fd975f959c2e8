"""What was seen of one version: for each metric, the values of each case."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from vcmp.metrics import CHARGED, MEASUREMENTS, measure
from vcmp.types import Arm, Evaluation, Result, Sample

ERROR = "error"
"""The metric that is 1 for a failed result and 0 for any other."""


def observe(evaluation: Evaluation, lower: frozenset[str] = frozenset()) -> Arm:
    """All metrics of an evaluation; latency and cost only when a model was called.

    A failed agent has the worst score; it has no measurement. What a scorer could not judge has no
    value.

    Args:
        lower: Scores of which less is better, so that the worst is 1.
    """
    values = {
        metric: _observe(evaluation, metric, worst=float(metric in lower))
        for metric in _metrics(evaluation)
    }
    return Arm(
        values={metric: cases for metric, cases in values.items() if cases},
        asked=dict.fromkeys(values, evaluation.n_asked),
        measurements=frozenset(MEASUREMENTS),
        lower=lower,
    )


def _metrics(evaluation: Evaluation) -> list[str]:
    scripted = evaluation.answerer.scripted
    measurements = [name for name in MEASUREMENTS if not (scripted and name in CHARGED)]
    return [*sorted(evaluation.scorers), *measurements, ERROR]


def _observe(evaluation: Evaluation, metric: str, worst: float) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for result in evaluation.results:
        value = _value(result, metric, worst)
        if value is not None:
            values.setdefault(result.case_id, []).append(value)
    return values


def _value(result: Result, metric: str, worst: float) -> float | None:
    if metric == ERROR:
        return float(bool(result.error))
    if metric in MEASUREMENTS:
        return measure(result, metric)
    return worst if result.error else result.value(metric)


def sample(arm: Arm, metric: str, case_ids: Iterable[str], clusters: Mapping[str, str]) -> Sample:
    """One metric of one side, over those of the cases that have a value."""
    values = arm.values[metric]
    having = [case_id for case_id in case_ids if case_id in values]
    score = is_score(metric, arm)
    return Sample(
        metric=metric,
        case_ids=tuple(having),
        clusters=tuple(clusters[case_id] or case_id for case_id in having),
        values=tuple(mean(values[case_id]) for case_id in having),
        total=math.fsum(value for case_id in having for value in values[case_id]),
        scored=sum(len(values[case_id]) for case_id in having),
        asked=arm.asked.get(metric, 0),
        score=score,
        bounded=metric not in arm.measurements and is_bounded(values.values()),
    )


def is_score(metric: str, arm: Arm) -> bool:
    """Whether more of it is better."""
    return metric != ERROR and metric not in arm.measurements | arm.lower


def is_bounded(values: Iterable[Sequence[float]]) -> bool:
    """Whether all values lie in [0, 1]."""
    return all(min(repeats) >= 0 and max(repeats) <= 1 for repeats in values)


def mean(repeats: Sequence[float]) -> float:
    """The mean of a case's repeats."""
    return repeats[0] if len(repeats) == 1 else fmean(repeats)


def noise(sides: Sequence[Mapping[str, Sequence[float]]], case_ids: Sequence[str]) -> float | None:
    """Variance of a case's difference that comes from repeating it, averaged over the cases.

    None where a side has no case with two values: what a repeat would change is then unknown.
    """
    shares = [_noise(side, case_ids) for side in sides]
    return None if None in shares else math.fsum(share for share in shares if share)


def _noise(side: Mapping[str, Sequence[float]], case_ids: Sequence[str]) -> float | None:
    repeated = [side[case_id] for case_id in case_ids if len(side[case_id]) > 1]
    return fmean(map(_variance_of_mean, repeated)) if repeated else None


def _variance_of_mean(values: Sequence[float]) -> float:
    n, center = len(values), fmean(values)
    return math.fsum((value - center) ** 2 for value in values) / (n - 1) / n
