"""The mean difference of two versions over the same cases."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.distributions import coin_tail, normal_quantile, t_quantile
from vcmp.statistics.evidence import Evidence
from vcmp.statistics.measured import measured_mean

NOTHING = 1e-9
"""Of the full range; what is smaller is rounding."""


def paired_difference(
    baseline: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[str],
    *,
    bounded: bool = True,
) -> Evidence:
    """Candidate minus baseline, one value of each for each case, on average over the cases.

    Args:
        bounded: Whether the values lie in [0, 1]. Where they do not, the evidence is a
            `MeasuredMean`.

    Raises:
        ValueError: There are no cases.
    """
    lone = len(set(clusters)) == len(clusters)
    if bounded and lone and {*baseline, *candidate} <= {0.0, 1.0}:
        pairs = list(zip(baseline, candidate, strict=True))
        return PairedCounts(n=len(pairs), gained=pairs.count((0, 1)), lost=pairs.count((1, 0)))
    differences = [b - a for a, b in zip(baseline, candidate, strict=True)]
    if bounded:
        return mean_over_clusters(differences, clusters, full_range=1.0, limits=(-1.0, 1.0))
    largest = max(map(abs, (*baseline, *candidate)))
    return measured_mean(differences, clusters, largest=largest or 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """Yes or no, once for each of `n` independent cases: how many were gained and how many lost.

    The bounds are Tango's score bounds (Tango, 1998, "Equivalence test and confidence interval for
    the difference in proportions for the paired-sample design", Statistics in Medicine 17). They
    exclude zero only where McNemar's mid-p test does as well (Fagerland, Lydersen and Laake, 2013,
    "The McNemar test for binary matched-pairs data", BMC Medical Research Methodology 13): with
    few changed cases the score alone rejects too often.
    """

    n: float
    gained: float
    lost: float

    @property
    def estimate(self) -> float:
        return (self.gained - self.lost) / self.n

    @property
    def n_clusters(self) -> float:
        return self.n

    def scaled(self, factor: float) -> Self:
        return replace(
            self, n=self.n * factor, gained=self.gained * factor, lost=self.lost * factor
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        z = normal_quantile(1 - alpha)
        low, high = self._where_score_is(z), self._where_score_is(-z)
        if low > 0 and self._mid_p(self.gained) >= alpha:
            low = 0.0
        if high < 0 and self._mid_p(self.lost) >= alpha:
            high = 0.0
        return low, high

    def _mid_p(self, changed: float) -> float:
        tosses = self.gained + self.lost
        return (coin_tail(changed, tosses) + coin_tail(changed + 1, tosses)) / 2

    def _where_score_is(self, z: float) -> float:
        """Bisect for the difference whose score is `z`; the score falls from -1 to 1."""
        low, high = -1.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self._score(middle) > z else (low, middle)
        return (low + high) / 2

    def _score(self, difference: float) -> float:
        n, d = self.n, difference
        b = (2 * n - self.gained + self.lost) * d - self.gained - self.lost
        root = math.sqrt(max(0.0, b * b + 8 * n * self.lost * d * (1 - d)))
        lost_rate = (root - b) / (4 * n)
        variance = n * (2 * lost_rate + d * (1 - d))
        return (self.gained - self.lost - n * d) / math.sqrt(max(variance, 1e-12))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMean:
    """A mean over cases that come in clusters, by the sums of the clusters.

    Student's t with one degree of freedom less than there are clusters (Cameron and Miller, 2015,
    "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50), after
    two pseudo-clusters of +a and -a were added, so that the width is never zero: what Bonett and
    Price (2012, "Adjusted Wald confidence interval for a difference of binomial proportions based
    on paired data", Journal of Educational and Behavioral Statistics 37) do for yes and no. `a` is
    the root mean square of the cluster sums that are not zero; where all are, that of a cluster
    whose every case changes by the full range, up or down. Hall's transformation (1992, "On
    the removal of skewness by transformation", Journal of the Royal Statistical Society B 54)
    corrects for skewness.
    """

    estimate: float
    n: float
    n_clusters: float
    squares: tuple[float, float, float]
    """Means over clusters of yy, yw, ww; y is a cluster's sum and w its number of cases, both
    divided by the mean number of cases in a cluster."""
    cubes: tuple[float, float, float, float]
    """Means over clusters of yyy, yyw, yww, www."""
    pseudo: float
    """The size `a` of the pseudo-clusters."""
    limits: tuple[float, float] = (-math.inf, math.inf)

    def scaled(self, factor: float) -> Self:
        return replace(self, n=self.n * factor, n_clusters=self.n_clusters * factor)

    @property
    def variance(self) -> float:
        """Of the estimate."""
        _, error, _ = self._moments()
        return (error * (self.n_clusters + 2) / self.n_clusters) ** 2

    def bounds(self, alpha: float) -> tuple[float, float]:
        center, error, skewness = self._moments()
        t = t_quantile(1 - alpha, max(1.0, self.n_clusters - 1))
        low = center - error * _unskewed(t, skewness)
        high = center - error * _unskewed(-t, skewness)
        least, most = self.limits
        return max(least, min(low, self.estimate)), min(most, max(high, self.estimate))

    def _moments(self) -> tuple[float, float, float]:
        """The center, its standard error, and the skewness over the root of the clusters."""
        real, a = self.n_clusters, self.pseudo
        all_ = real + 2
        c = self.estimate * real / all_
        yy, yw, ww = self.squares
        yyy, yyw, yww, www = self.cubes
        second = real * (yy - 2 * c * yw + c * c * ww) + 2 * (a * a + c * c)
        third = real * (yyy - 3 * c * yyw + 3 * c * c * yww - c**3 * www) - 6 * a * a * c - 2 * c**3
        skewness = (third / all_) / (second / all_) ** 1.5
        return c, math.sqrt(second / all_ / (all_ - 1)), skewness / math.sqrt(all_)


def mean_over_clusters(
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    full_range: float,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> ClusterMean:
    """The mean of one value for each case.

    Args:
        full_range: The most a value can be; above zero. It counts when all values are zero.
        limits: What the truth cannot pass.

    Raises:
        ValueError: There are no values.
    """
    members: dict[str, list[float]] = defaultdict(list)
    for cluster, value in zip(clusters, values, strict=True):
        members[cluster].append(value)
    size = len(values) / len(members) if members else 1.0
    y = [math.fsum(numbers) / size for numbers in members.values()]
    w = [len(numbers) / size for numbers in members.values()]
    nonzero = [value * value for value in y if abs(value) > NOTHING * full_range]
    return ClusterMean(
        estimate=fmean(values),
        n=len(values),
        n_clusters=len(members),
        squares=(_mean_product(y, y), _mean_product(y, w), _mean_product(w, w)),
        cubes=(
            _mean_product(y, y, y),
            _mean_product(y, y, w),
            _mean_product(y, w, w),
            _mean_product(w, w, w),
        ),
        pseudo=math.sqrt(fmean(nonzero)) if nonzero else full_range / math.sqrt(size),
        limits=limits,
    )


def _mean_product(*columns: Sequence[float]) -> float:
    return fmean(map(math.prod, zip(*columns, strict=True)))


def _unskewed(t: float, skewness: float) -> float:
    """Hall's transformation turned round; `skewness` is over the root of the clusters."""
    if abs(skewness) < 1e-9:
        return t
    return 3 / skewness * (math.cbrt(1 + skewness * (t - skewness / 6)) - 1)
