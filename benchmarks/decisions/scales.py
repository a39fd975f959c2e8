"""What a rule estimates, on a scale on which larger is better."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions.worlds import Array

Statistic = Callable[[Array, Array], Array]
"""From values by case, on the last axis, of baseline and candidate to an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An estimate and the truth behind it, both so that larger is better and errors are normal.

    Args:
        estimate: Of the arrays' last axis.
        good: The same for a true effect, which is in the unit of a finding.
    """

    estimate: Statistic
    good: Callable[[float], float]


def _same(effect: float) -> float:
    return effect


def _negative(effect: float) -> float:
    return -effect


def _negative_log(effect: float) -> float:
    return -math.log(effect)


def _difference(baseline: Array, candidate: Array) -> Array:
    means: Array = (candidate - baseline).mean(axis=-1)
    return means


def _mean(_baseline: Array, candidate: Array) -> Array:
    means: Array = candidate.mean(axis=-1)
    return means


def _negative_mean(baseline: Array, candidate: Array) -> Array:
    return -_mean(baseline, candidate)


def _ratio_of_medians(baseline: Array, candidate: Array) -> Array:
    medians: Array = np.median(baseline, axis=-1) / np.median(candidate, axis=-1)
    return np.log(medians)


def _ratio_of_totals(baseline: Array, candidate: Array) -> Array:
    totals: Array = baseline.sum(axis=-1) / candidate.sum(axis=-1)
    return np.log(totals)


def _mean_log_ratio(baseline: Array, candidate: Array) -> Array:
    return _difference(np.log(candidate), np.log(baseline))


DIFFERENCE = Scale(estimate=_difference, good=_same)
MEAN = Scale(estimate=_mean, good=_same)
RATE = Scale(estimate=_negative_mean, good=_negative)
MEDIANS = Scale(estimate=_ratio_of_medians, good=_negative_log)
GEOMETRIC = Scale(estimate=_mean_log_ratio, good=_negative_log)
TOTALS = Scale(estimate=_ratio_of_totals, good=_negative_log)
