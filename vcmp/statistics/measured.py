"""The mean of a measurement (seconds, tokens, dollars) over cases that come in clusters, and what
every such mean has in common: how it spreads."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.deviation import HIDDEN, unskewed
from vcmp.statistics.distributions import t_quantile

NOTHING = 1e-9
"""Of the largest value; what is smaller is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a mean over cases varies, as the sums of its clusters tell (Cameron and Miller, 2015, "A
    practitioner's guide to cluster-robust inference", Journal of Human Resources 50)."""

    n_clusters: float
    effective: float
    """Clusters of one size whose sums would tell as much about their variance."""
    variance: float
    """Of the mean; 0 when no cluster differs from any other."""
    skewness: float
    """Of the mean: that of a cluster's sum over the root of the clusters."""
    excess: float
    """Kurtosis of the mean above that of normal sums: that of a cluster's sum over the clusters.
    Never below 0."""

    def scaled(self, factor: float) -> Self:
        return replace(
            self,
            n_clusters=self.n_clusters * factor,
            effective=self.effective * factor,
            variance=self.variance / factor,
            skewness=self.skewness / math.sqrt(factor),
            excess=self.excess / factor,
        )

    def t(self, alpha: float) -> float:
        """The quantile of Student's t that `alpha` exceeds."""
        return -t_quantile(alpha, max(1.0, self.effective - 1))


def spread_over_clusters(
    values: Sequence[float], clusters: Sequence[str], *, largest: float
) -> Spread:
    """How the mean of one value for each case spreads.

    Clusters of unequal size tell less about the variance, and the sums of the residuals
    understate it. Both are corrected for as if every two cases of a cluster had the correlation
    that is seen (Bell and McCaffrey, 2002, "Bias reduction in standard errors for linear
    regression with multi-stage samples", Survey Methodology 28; Imbens and Kolesár, 2016, "Robust
    standard errors in small samples", Review of Economics and Statistics 98).

    Args:
        largest: The size of what was measured; above zero. It tells a difference from rounding.

    Raises:
        ValueError: There are no values.
    """
    mean = fmean(values)
    sums: dict[str, float] = defaultdict(float)
    sizes: dict[str, int] = defaultdict(int)
    for cluster, value in zip(clusters, values, strict=True):
        sums[cluster] += value - mean
        sizes[cluster] += 1
    e, m, n, n_clusters = list(sums.values()), list(sizes.values()), len(values), len(sums)
    if max(map(abs, e)) <= NOTHING * largest * max(m):
        return Spread(
            n_clusters=n_clusters, effective=n_clusters, variance=0.0, skewness=0.0, excess=0.0
        )
    second, third, fourth = (math.fsum([each**power for each in e]) for power in (2, 3, 4))
    within = math.fsum([(value - mean) ** 2 for value in values])
    effective, bias = _weigh(m, second / within)
    fair = n_clusters**2 / ((n_clusters - 1) * max(1, n_clusters - 2))
    return Spread(
        n_clusters=n_clusters,
        effective=effective,
        variance=second / bias / n**2,
        skewness=fair * third / (second / bias) ** 1.5,
        excess=max(0.0, fourth / second**2 - 3 / effective),
    )


def _weigh(sizes: Sequence[int], design_effect: float) -> tuple[float, float]:
    """The effective number of clusters of these sizes, and what the squares of their residuals
    show of the variance, on average; by the correlation that the design effect implies."""
    n, n_clusters, larger = sum(sizes), len(sizes), sum(size * size for size in sizes)
    if larger == n:
        return n_clusters, 1 - 1 / n_clusters
    design_effect *= n_clusters / (n_clusters - 1)
    correlation = min(1.0, max(0.0, (design_effect - 1) / (larger / n - 1)))
    variances = [size * (1 + correlation * (size - 1)) for size in sizes]
    total = math.fsum(variances)
    crossed = math.fsum(v * size for v, size in zip(variances, sizes, strict=True))
    bias = 1 + larger / n**2 - 2 * crossed / (n * total)
    return total**2 / math.fsum(v * v for v in variances), bias


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMean:
    """A mean with Student's t interval over clusters, with one degree of freedom less than they
    effectively are. On the side of a long tail Hall's transformation moves the bound out, by more
    skewness than is seen, as in `Deviation`."""

    estimate: float
    n: float
    spread: Spread

    @property
    def n_clusters(self) -> float:
        return self.spread.n_clusters

    @property
    def error(self) -> float:
        """Standard error of the estimate."""
        return math.sqrt(self.spread.variance)

    def scaled(self, factor: float) -> Self:
        return replace(self, n=self.n * factor, spread=self.spread.scaled(factor))

    def unchanged(self) -> Self:
        return replace(self, estimate=0.0, spread=replace(self.spread, skewness=0.0))

    def bounds(self, alpha: float) -> tuple[float, float]:
        below, above = (self.error * self._reach(alpha, side) for side in (-1, 1))
        return self.estimate - below, self.estimate + above

    def _reach(self, alpha: float, side: int) -> float:
        """Standard errors to the bound on that side."""
        t, root = self.spread.t(alpha), math.sqrt(self.n_clusters)
        feared = self.spread.skewness * (1 + HIDDEN / root)
        return max(t, -unskewed(-t, side * feared))


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
    spread = spread_over_clusters(values, clusters, largest=largest)
    if not spread.variance:
        other = abs(mean) if abs(mean) > NOTHING * largest else largest
        spread = replace(spread, variance=(other / (spread.n_clusters + 1)) ** 2)
    return MeasuredMean(estimate=mean, n=len(values), spread=spread)
