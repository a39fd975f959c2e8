"""The mean difference of two versions over the same cases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.distributions import coin_tail, normal_quantile
from vcmp.statistics.evidence import Change
from vcmp.statistics.measured import NOTHING, Spread, measured_mean, spread_over_clusters

KURTOSIS = 0.8
"""See `ClusterMean`."""
SHORTENED = 0.5
"""See `ClusterMean`."""
UNSEEN = 0.6
"""See `ClusterMean`."""


def paired_difference(
    baseline: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[str],
    *,
    bounded: bool = True,
) -> Change:
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
    few changed cases the score alone rejects too often. At alpha 0.05, summed over all outcomes
    of 30, 100, 300 and 1,000 cases, a loss of 0.05 is excluded in at most 5.3 % and no loss in at
    most 5.0 %, however many cases change.
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

    def unchanged(self) -> Self:
        half = (self.gained + self.lost) / 2
        return replace(self, gained=half, lost=half)

    def scaled(self, factor: float) -> Self:
        return replace(
            self, n=self.n * factor, gained=self.gained * factor, lost=self.lost * factor
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        z = -normal_quantile(alpha)
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
    """A mean of bounded values over cases that come in clusters, by the sums of the clusters.

    Student's t over clusters (see `spread_over_clusters`) with four corrections for scores of
    which few differ, or few by much. Where the factors come from simulations, these were of
    judges' grades, repeats, rare losses and clusters, for 30 to 1,000 cases.

    - Kurtosis: a variance that rests on a few large sums is less sure. Student's quantile at the
      degrees of freedom of such a variance (Satterthwaite, 1946, "An approximate distribution of
      estimates of variance components", Biometrics Bulletin 2), expanded in 1 / clusters, makes it
      larger by (z z + 1) / 4 times the excess kurtosis of the mean. The factor used is `KURTOSIS`
      times z: a little more at alpha 0.05, and less in the far tail, which bounded values lack.
    - Skewness: Hall's transformation (1992, "On the removal of skewness by transformation",
      Journal of the Royal Statistical Society B 54) moves a bound out in full, and in by the share
      `SHORTENED` only: that large changes went one way says little while there are few of them. It
      ends where its cube root does: with few clusters, most of them alike, the skewness of a
      sample says nothing any more.
    - What was not seen: a share of 1 - alpha ** (1 / n) of the cases can change by the full range
      and leave no trace in n (Clopper and Pearson, 1934, "The use of confidence or fiducial limits
      illustrated in the case of the binomial", Biometrika 26). No bound comes nearer than `UNSEEN`
      times that share of the cases. Where no cluster differs from another the share is all there
      is to say; n is then halfway between the clusters and the cases, as nothing tells whether
      those of a cluster change together.
    - Few changes: by chance alone k changed clusters all go one way with probability 2 ** -k. As
      for `PairedCounts`, zero is excluded only where the mid-p value of that is below alpha.
    """

    estimate: float
    n: float
    spread: Spread
    changed: float
    """Clusters with a value that is not zero."""
    full_range: float
    limits: tuple[float, float] = (-math.inf, math.inf)

    @property
    def n_clusters(self) -> float:
        return self.spread.n_clusters

    @property
    def variance(self) -> float:
        """Of the estimate. Where no cluster differs from another it is the one that two more
        would make, each with one case changed by the full range, up and down."""
        unseen = 2 * self.full_range**2 / (self.n_clusters * self.n)
        return self.spread.variance or unseen

    def unchanged(self) -> Self:
        return replace(self, estimate=0.0, spread=replace(self.spread, skewness=0.0))

    def scaled(self, factor: float) -> Self:
        return replace(
            self,
            n=self.n * factor,
            spread=self.spread.scaled(factor),
            changed=self.changed * factor,
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        below, above = self._reaches(alpha)
        least, most = self.limits
        low, high = max(least, self.estimate - below), min(most, self.estimate + above)
        if 2 ** -(self.changed + 1) >= alpha:
            return min(low, 0.0), max(high, 0.0)
        return low, high

    def _reaches(self, alpha: float) -> tuple[float, float]:
        """How far the truth may lie below the estimate, and how far above."""
        if not self.spread.variance:
            unseen = _unseen(alpha, math.sqrt(self.n_clusters * self.n)) * self.full_range
            return unseen, unseen
        inflation = 1 - KURTOSIS * normal_quantile(alpha) * self.spread.excess
        error, t = math.sqrt(self.spread.variance * inflation), self.spread.t(alpha)
        skewness, least = self.spread.skewness / inflation**1.5, UNSEEN * _unseen(alpha, self.n)
        below, above = (error * _lengthened(t, side) for side in (skewness, -skewness))
        return max(below, least * self.full_range), max(above, least * self.full_range)


def mean_over_clusters(
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    full_range: float,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> ClusterMean:
    """The mean of one value for each case.

    Args:
        full_range: The most a value can be; above zero.
        limits: What the truth cannot pass.

    Raises:
        ValueError: There are no values.
    """
    return ClusterMean(
        estimate=fmean(values),
        n=len(values),
        spread=spread_over_clusters(values, clusters, largest=full_range),
        changed=len(
            {
                cluster
                for cluster, value in zip(clusters, values, strict=True)
                if abs(value) > NOTHING * full_range
            }
        ),
        full_range=full_range,
        limits=limits,
    )


def _unseen(alpha: float, n: float) -> float:
    """The share of all that is not among `n` with probability `alpha`."""
    return -math.expm1(math.log(alpha) / n)


def _lengthened(t: float, skewness: float) -> float:
    """Standard errors to a lower bound instead of `t`: by Hall's transformation turned round."""
    if abs(skewness) < 1e-9:
        return t
    inner = 1 + skewness * (t - skewness / 6)
    transformed = 3 / skewness * (math.cbrt(max(0.0, inner)) - 1)
    return transformed if transformed > t else t + SHORTENED * (transformed - t)
