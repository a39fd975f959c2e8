"""The mean of a measurement (seconds, tokens, dollars) over cases that come in clusters."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.distributions import t_quantile

NOTHING = 1e-9
"""Of the largest value; what is smaller is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMean:
    """A mean with Student's t interval, with one degree of freedom less than there are clusters
    (Cameron and Miller, 2015, "A practitioner's guide to cluster-robust inference", Journal of
    Human Resources 50)."""

    estimate: float
    n: float
    n_clusters: float
    error: float
    """Standard error of the estimate."""

    def scaled(self, factor: float) -> Self:
        return replace(
            self,
            n=self.n * factor,
            n_clusters=self.n_clusters * factor,
            error=self.error / math.sqrt(factor),
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        half = self.error * t_quantile(1 - alpha, max(1.0, self.n_clusters - 1))
        return self.estimate - half, self.estimate + half


def measured_mean(
    values: Sequence[float], clusters: Sequence[str], *, largest: float
) -> MeasuredMean:
    """The mean of one value for each case.

    Where all values are equal, their spread says nothing. Then the standard error is the one they
    have with one more cluster, which has the value 0; where all are 0, which has `largest`.

    Args:
        largest: The size of what was measured; above zero.

    Raises:
        ValueError: There are no values.
    """
    mean = fmean(values)
    sums: dict[str, float] = defaultdict(float)
    for cluster, value in zip(clusters, values, strict=True):
        sums[cluster] += value - mean
    n, n_clusters = len(values), len(sums)
    spread = math.sqrt(math.fsum(each * each for each in sums.values()))
    if n_clusters > 1 and spread > NOTHING * largest:
        error = spread / n * math.sqrt(n_clusters / (n_clusters - 1))
    else:
        other = abs(mean) if abs(mean) > NOTHING * largest else largest
        error = other / (n_clusters + 1)
    return MeasuredMean(estimate=mean, n=n, n_clusters=n_clusters, error=error)
