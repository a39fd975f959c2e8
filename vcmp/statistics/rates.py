"""The mean of values in [0, 1] over the cases of one version."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.distributions import beta_quantile, normal_quantile, t_quantile
from vcmp.statistics.paired import mean_over_clusters


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate, or a mean of values in [0, 1], as if from `n_effective` independent yes or no.

    The bounds are Wilson's (1927, "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22), or, for rates near zero that
    must not be understated, those of Clopper and Pearson (1934, "The use of confidence or fiducial
    limits illustrated in the case of the binomial", Biometrika 26). The effective number is that
    of Korn and Graubard (1998, "Confidence intervals for proportions with small expected number
    of positive counts estimated from survey data", Survey Methodology 24), with their correction
    for the degrees of freedom.
    """

    estimate: float
    n: float
    n_clusters: float
    n_effective: float
    exact: bool = False
    """Clopper and Pearson's bounds instead of Wilson's."""

    def scaled(self, factor: float) -> Self:
        return replace(
            self,
            n=self.n * factor,
            n_clusters=self.n_clusters * factor,
            n_effective=self.n_effective * factor,
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        wide = t_quantile(1 - alpha, max(1.0, self.n_clusters - 1))
        narrow = t_quantile(1 - alpha, max(1.0, self.n - 1))
        n = self.n_effective * (narrow / wide) ** 2
        bounds = _clopper_pearson if self.exact else _wilson
        return bounds(self.estimate, n, alpha)


def rate(values: Sequence[float], clusters: Sequence[str], *, exact: bool = False) -> Rate:
    """The mean of one value in [0, 1] for each case.

    Raises:
        ValueError: There are no values.
    """
    n, n_clusters = len(values), len(set(clusters))
    return Rate(
        estimate=fmean(values),
        n=n,
        n_clusters=n_clusters,
        n_effective=_effective(values, clusters),
        exact=exact,
    )


def _effective(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Independent yes or no that would give a mean of these values the same variance.

    The design effect of clusters is seen only where values differ. With the weight of one such
    value it is averaged with the root of the clusters' mean size, halfway between independent
    cases (1) and cases that are all alike (the size): values that are all equal say nothing about
    either.
    """
    n, n_clusters, mean = len(values), len(set(clusters)), fmean(values)
    lone, binary = n == n_clusters, set(values) <= {0.0, 1.0}
    if lone and (binary or mean in (0.0, 1.0)):
        return n
    effect = 1.0
    if 0 < mean < 1:
        spread = mean_over_clusters([v - mean for v in values], clusters, full_range=1.0)
        effect = spread.variance / (mean * (1 - mean) / n)
    if binary:
        effect = max(1.0, effect)
    if lone:
        return n / effect
    seen = n * min(mean, 1 - mean)
    return n * (1 + seen) / (math.sqrt(n / n_clusters) + seen * effect)


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
