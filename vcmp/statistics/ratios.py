"""How many times the baseline's a candidate's latency, tokens or cost is."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.metrics import quantile
from vcmp.statistics.deviation import BOUNDLESS, NOTHING, Deviation, deviation_of
from vcmp.statistics.distributions import t_quantile
from vcmp.statistics.resampling import RESAMPLES, Resampling, level_mean


def _agreed(log_ratio: float, n_clusters: int) -> float:
    """The standard error of a ratio on which all clusters agree: the one that it has with one more
    cluster whose ratio is 1, or, where all are 1, whose ratio is about 3."""
    return (abs(log_ratio) if abs(log_ratio) > NOTHING else 1.0) / (n_clusters + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRatio:
    """A ratio of totals; the deviation is in units of the estimate."""

    estimate: float
    n: float
    deviation: Deviation

    @property
    def n_clusters(self) -> float:
        return self.deviation.n_clusters

    def scaled(self, factor: float) -> Self:
        return replace(self, n=self.n * factor, deviation=self.deviation.scaled(factor))

    def unchanged(self) -> Self:
        """The same evidence, had nothing changed."""
        return replace(self, estimate=1.0)

    def bounds(self, alpha: float) -> tuple[float, float]:
        low, high = self.deviation.bounds(alpha)
        return self._times(low), self._times(high)

    def _times(self, x: float) -> float:
        return self.estimate * (1 + x)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio(TotalRatio):
    """A ratio whose logarithm is a mean over cases; the deviation is that of the logarithm."""

    def _times(self, x: float) -> float:
        return self.estimate * _exp(x)


def _exp(power: float) -> float:
    return math.exp(power) if power < math.log(BOUNDLESS) else math.inf


def geometric_mean_ratio(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str]
) -> LogRatio:
    """The geometric mean over cases of candidate / baseline.

    Raises:
        ValueError: A value is not above zero, or there are none.
    """
    logs = [math.log(b) - math.log(a) for a, b in zip(baseline, candidate, strict=True)]
    mean, counts = fmean(logs), _sum_by_cluster([1.0] * len(logs), clusters)
    sums = _sum_by_cluster([log - mean for log in logs], clusters)
    size = len(logs) / len(counts)
    deviation = deviation_of(
        [sums[name] / size for name in counts],
        [count / size for count in counts.values()],
        [count / len(logs) for count in counts.values()],
        _agreed(mean, len(counts)),
    )
    return LogRatio(estimate=math.exp(mean), n=len(logs), deviation=deviation)


def total_ratio(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str]
) -> TotalRatio:
    """The sum of the candidate's values over the sum of the baseline's.

    Raises:
        ValueError: A sum is not above zero.
    """
    below, above = _sum_by_cluster(baseline, clusters), _sum_by_cluster(candidate, clusters)
    total_below, total_above = math.fsum(below.values()), math.fsum(above.values())
    ratio = math.exp(math.log(total_above) - math.log(total_below))
    before = [below[name] / total_below for name in below]
    after = [above[name] / total_above for name in below]
    n_clusters = len(below)
    deviation = deviation_of(
        [n_clusters * (b - a) for a, b in zip(before, after, strict=True)],
        [n_clusters * share for share in before],
        [max(pair) for pair in zip(before, after, strict=True)],
        _agreed(math.log(ratio), n_clusters),
    )
    limits = _limits(before, after)
    return TotalRatio(estimate=ratio, n=len(baseline), deviation=replace(deviation, limits=limits))


def _limits(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """How far a ratio of totals can be off at all, as a share of it.

    On the scale of logarithms, further than the clusters' own ratios by the whole of their range.
    Only where one cluster outweighs the others does this come before the bounds; without it they
    would be 0 and infinity there.
    """
    if min(*before, *after) <= 0:
        return -1.0, math.inf
    logs = [math.log(a) - math.log(b) for b, a in zip(before, after, strict=True)]
    wide = max(logs) - min(logs)
    if wide < NOTHING:
        return -1.0, math.inf
    return math.expm1(min(logs) - wide), math.expm1(max(logs) + wide)


def _sum_by_cluster(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float]:
    members: dict[str, list[float]] = defaultdict(list)
    for cluster, value in zip(clusters, values, strict=True):
        members[cluster].append(value)
    return {cluster: math.fsum(numbers) for cluster, numbers in members.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """A ratio whose logarithm has a standard error from resampling.

    The bounds are Student's, around the logarithm that was resampled; the degrees of freedom are
    no more than what both versions have beyond the quantile, halfway between cases and clusters.
    """

    estimate: float
    n: float
    n_clusters: float
    log: float
    """Not the logarithm of the estimate, but of the ratio of averaged quantiles."""
    error: float
    q: float

    def scaled(self, factor: float) -> Self:
        smoothed = self._smoothed(self.n * factor) / self._smoothed(self.n)
        return replace(
            self,
            n=self.n * factor,
            n_clusters=self.n_clusters * factor,
            error=self.error * math.sqrt(smoothed / factor),
        )

    def _smoothed(self, n: float) -> float:
        """The share of a quantile's variance that is left after averaging it over the levels that
        `n` cases take: that of a Brownian bridge after averaging it there."""
        return max(0.5, 1 - _spread(self.q, n) / (3 * self.q * (1 - self.q)))

    def unchanged(self) -> Self:
        """The same evidence, had nothing changed."""
        return replace(self, estimate=1.0, log=0.0)

    def bounds(self, alpha: float) -> tuple[float, float]:
        beyond = 2 * math.sqrt(self.n * self.n_clusters) * min(self.q, 1 - self.q)
        half = self.error * t_quantile(1 - alpha, max(1.0, min(self.n_clusters - 1, beyond)))
        low, high = math.exp(self.log - half), _exp(self.log + half)
        return min(low, self.estimate), max(high, self.estimate)


def quantile_ratio(
    baseline: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[str],
    q: float,
    *,
    n_resamples: int = RESAMPLES,
) -> Resampled:
    """The candidate's `q` quantile over the baseline's.

    The standard error is that of the logarithm over resampled clusters, both versions in the same
    draws (Davison and Hinkley, 1997, "Bootstrap Methods and their Application", sections 2.4 and
    3.8). Quantiles are averaged there over as many levels as sampling blurs them anyway: see
    `level_mean`.

    Raises:
        ValueError: A value is not above zero, or there are none.
    """
    import numpy as np

    n = len(clusters)
    sides = [[math.log(value) for value in side] for side in (candidate, baseline)]
    spread = _spread(q, n)
    above, below = (level_mean(side, q, spread) for side in sides)
    draws = Resampling(clusters, n_resamples=n_resamples).quantiles(np.array(sides).T, q, spread)
    n_clusters, log = len(set(clusters)), above - below
    error = float(np.std(draws[:, 0] - draws[:, 1]))
    return Resampled(
        estimate=quantile(candidate, q) / quantile(baseline, q),
        n=n,
        n_clusters=n_clusters,
        log=log,
        error=error if error > NOTHING else _agreed(log, n_clusters),
        q=q,
    )


def _spread(q: float, n: float) -> float:
    """Levels as far around `q` as a sample's quantile strays: three times its variance is the
    square of the half width of equally likely levels."""
    return math.sqrt(3 * q * (1 - q) / n)
