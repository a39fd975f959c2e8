"""How many times the baseline's a candidate's latency, tokens or cost is."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

from vcmp.metrics import quantile
from vcmp.statistics.distributions import t_quantile
from vcmp.statistics.paired import ClusterMean, mean_over_clusters

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2000
SEED = 20100517
"""Fixed: the same data give the same bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRatio:
    """A ratio whose logarithm is a mean over clusters."""

    log: ClusterMean

    @property
    def estimate(self) -> float:
        return math.exp(self.log.estimate)

    @property
    def n(self) -> float:
        return self.log.n

    @property
    def n_clusters(self) -> float:
        return self.log.n_clusters

    def scaled(self, factor: float) -> Self:
        return replace(self, log=self.log.scaled(factor))

    def bounds(self, alpha: float) -> tuple[float, float]:
        low, high = self.log.bounds(alpha)
        return math.exp(low), math.exp(high)


def geometric_mean_ratio(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str]
) -> LogRatio:
    """The geometric mean over cases of candidate / baseline.

    Raises:
        ValueError: A value is not above zero, or there are none.
    """
    logs = [math.log(b) - math.log(a) for a, b in zip(baseline, candidate, strict=True)]
    return LogRatio(log=mean_over_clusters(logs, clusters, full_range=1.0))


def total_ratio(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str]
) -> LogRatio:
    """The sum of the candidate's values over the sum of the baseline's.

    The logarithm is linearised (Cochran, 1977, "Sampling Techniques", sections 2.11 and 6.4): each
    cluster's influence on it is the difference of its shares in the two sums. An influence is
    divided by what the cluster leaves to the others (MacKinnon and White, 1985, "Some
    heteroskedasticity-consistent covariance matrix estimators with improved finite sample
    properties", Journal of Econometrics 29), or a few expensive cases would hide their own spread.

    Raises:
        ValueError: A sum is not above zero.
    """
    below, above = _sum_by_cluster(baseline, clusters), _sum_by_cluster(candidate, clusters)
    total_below, total_above = math.fsum(below.values()), math.fsum(above.values())
    log = math.log(total_above) - math.log(total_below)
    shares = [(below[name] / total_below, above[name] / total_above) for name in below]
    pulls = [(after - before) / max(1e-9, 1 - max(before, after)) for before, after in shares]
    center = fmean(pulls)
    influence = [log + len(shares) * (pull - center) for pull in pulls]
    mean = mean_over_clusters(influence, list(below), full_range=1.0)
    return LogRatio(log=replace(mean, estimate=log, n=len(baseline)))


def _sum_by_cluster(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float]:
    members: dict[str, list[float]] = defaultdict(list)
    for cluster, value in zip(clusters, values, strict=True):
        members[cluster].append(value)
    return {cluster: math.fsum(numbers) for cluster, numbers in members.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """A ratio with the sorted logarithms of what resampling made of it."""

    estimate: float
    n: float
    n_clusters: float
    logs: tuple[float, ...]
    pseudo: float
    """Size of two pseudo-clusters, as a `ClusterMean` has them; their part of the width is added
    in quadrature, so that identical values do not give a width of zero."""

    def scaled(self, factor: float) -> Self:
        center, shrink = math.log(self.estimate), 1 / math.sqrt(factor)
        logs = tuple(center + (log - center) * shrink for log in self.logs)
        return replace(self, n=self.n * factor, n_clusters=self.n_clusters * factor, logs=logs)

    def bounds(self, alpha: float) -> tuple[float, float]:
        center, t = math.log(self.estimate), t_quantile(1 - alpha, max(1.0, self.n_clusters - 1))
        floor = t * math.sqrt(2) * self.pseudo / (self.n_clusters + 2)
        below = max(0.0, center - quantile(self.logs, alpha))
        above = max(0.0, quantile(self.logs, 1 - alpha) - center)
        low, high = center - math.hypot(below, floor), center + math.hypot(above, floor)
        return math.exp(low), math.exp(high)


def quantile_ratio(
    baseline: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[str],
    q: float,
) -> Resampled:
    """The candidate's `q` quantile over the baseline's.

    Bounds by the percentile bootstrap of the logarithm over clusters, both sides in the same
    draws (Davison and Hinkley, 1997, "Bootstrap Methods and their Application", sections 3.8 and
    5.3).

    Raises:
        ValueError: A value is not above zero, or there are none.
    """
    import numpy as np

    names = sorted(set(clusters))
    place = {name: index for index, name in enumerate(names)}
    members = np.array([place[cluster] for cluster in clusters])
    draws = np.random.default_rng(SEED).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES
    )
    weights = draws[:, members]
    above = _weighted_quantile(np.asarray(candidate, float), weights, q)
    below = _weighted_quantile(np.asarray(baseline, float), weights, q)
    return Resampled(
        estimate=quantile(candidate, q) / quantile(baseline, q),
        n=len(clusters),
        n_clusters=len(names),
        logs=tuple(np.sort(np.log(above / below)).tolist()),
        pseudo=geometric_mean_ratio(baseline, candidate, clusters).log.pseudo,
    )


def _weighted_quantile(values: "np.ndarray[Any, Any]", weights: Any, q: float) -> Any:
    """One quantile for each row of weights: the value that `q` of the weight does not exceed."""
    order = values.argsort(kind="stable")
    heaped = weights[:, order].cumsum(axis=1)
    return values[order][(heaped < q * heaped[:, -1:]).sum(axis=1)]
