"""The mean of values in [0, 1] over the cases of one version."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.distributions import beta_quantile, normal_quantile, t_quantile
from vcmp.statistics.paired import mean_over_clusters

TOLERANCE = 1.2
"""How many times as often as they say Wilson's bounds may be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate, or a mean of values in [0, 1], as if from `n_effective` independent yes or no.

    The bounds are Wilson's (1927, "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22), or, for rates near zero that
    must not be understated, those of Clopper and Pearson (1934, "The use of confidence or fiducial
    limits illustrated in the case of the binomial", Biometrika 26). Wilson's are right on average
    over rates, and near 0 and 1 wrong more often than they say; so they lie nowhere inside Clopper
    and Pearson's at `TOLERANCE` times their level, which holds at every rate. The effective number
    is that of Korn and Graubard (1998, "Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data", Survey Methodology 24), with their
    correction for the degrees of freedom.
    """

    estimate: float
    n: float
    n_clusters: float
    n_effective: float
    """That of independent yes or no is `n`."""
    degrees: float
    """Of freedom, behind the effective number."""
    exact: bool = False
    """Clopper and Pearson's bounds instead of Wilson's."""

    def scaled(self, factor: float) -> Self:
        return replace(
            self,
            n=self.n * factor,
            n_clusters=self.n_clusters * factor,
            n_effective=self.n_effective * factor,
            degrees=(self.degrees + 1) * factor - 1,  # one less than clusters there are
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        wide = t_quantile(1 - alpha, max(1.0, self.degrees))
        narrow = t_quantile(1 - alpha, max(1.0, self.n - 1))
        n = self.n_effective * (narrow / wide) ** 2
        if self.exact:
            return _clopper_pearson(self.estimate, n, alpha)
        low, high = _wilson(self.estimate, n, alpha)
        if self.n_effective != self.n:
            return low, high
        least, most = _clopper_pearson(self.estimate, n, TOLERANCE * alpha)
        return min(low, least), max(high, most)


def rate(values: Sequence[float], clusters: Sequence[str], *, exact: bool = False) -> Rate:
    """The mean of one value in [0, 1] for each case.

    Raises:
        ValueError: There are no values.
    """
    n_effective, degrees = _effective(values, clusters)
    return Rate(
        estimate=fmean(values),
        n=len(values),
        n_clusters=len(set(clusters)),
        n_effective=n_effective,
        degrees=degrees,
        exact=exact,
    )


def _effective(values: Sequence[float], clusters: Sequence[str]) -> tuple[float, float]:
    """Independent yes or no that would give a mean of these values the same variance, and the
    degrees of freedom of that variance.

    How much fewer (clusters) or more (values between 0 and 1) they are than the cases, the design
    effect, is seen only in values that are not all 0 or all 1. With the weight of one such value
    it is averaged with what is to be feared where nothing is seen: the root of the clusters' mean
    size, halfway between independent cases (1) and cases that are all alike (the size), as if
    every value were 0 or 1. The degrees of freedom, likewise: of clusters with such values, and
    where nothing is seen, of all clusters.
    """
    n, n_clusters, mean = len(values), len(set(clusters)), fmean(values)
    binary = set(values) <= {0.0, 1.0}
    if n == n_clusters and binary:
        return n, n - 1
    effect, seen, telling = 1.0, 0.0, 0.0
    if 0 < mean < 1:
        spread = mean_over_clusters([v - mean for v in values], clusters, full_range=1.0)
        effect = spread.variance / (mean * (1 - mean) / n)
        distances = [v if mean < 0.5 else 1 - v for v in values]
        sums = dict.fromkeys(clusters, 0.0)
        for cluster, distance in zip(clusters, distances, strict=True):
            sums[cluster] += distance
        seen, telling = _telling(distances), _telling(sums.values())
    if binary:
        effect = max(1.0, effect)
    n_effective = n * (1 + seen) / (math.sqrt(n / n_clusters) + seen * effect)
    if n == n_clusters:
        return n_effective, n - 1
    return n_effective, min(n_clusters - 1, (n_clusters - 1 + seen * telling) / (1 + seen))


def _telling(distances: Collection[float]) -> float:
    """As how many equal ones these distances from 0 or 1 tell of their spread: Kish's effective
    number (1965, "Survey Sampling", section 11.7)."""
    return math.fsum(distances) ** 2 / math.fsum(each * each for each in distances)


def _wilson(mean: float, n: float, alpha: float) -> tuple[float, float]:
    z = normal_quantile(1 - alpha)
    center = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, min(mean, center - half)), min(1.0, max(mean, center + half))


def _clopper_pearson(mean: float, n: float, alpha: float) -> tuple[float, float]:
    yes, no = mean * n, (1 - mean) * n
    low = beta_quantile(alpha, yes, no + 1) if yes > 0 else 0.0
    high = beta_quantile(1 - alpha, yes + 1, no) if no > 0 else 1.0
    return low, high
