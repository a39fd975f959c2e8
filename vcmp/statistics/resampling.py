"""The bootstrap over clusters: one matrix of weights, shared by all metrics and both versions."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]

RESAMPLES = 10_000
SEED = 20100517
"""Fixed: the same data give the same bounds."""
CHUNK = 250
"""Resamples in work at one time: so many stay in the processor's cache."""
FAR = 5.0
"""Standard errors around a quantile within which it is sought first in a resample."""
SHARP = 1e-5
"""Half the width, in levels, of a quantile that is not averaged."""


class Resampling:
    """Draws of as many clusters as there are, with replacement (Davison and Hinkley, 1997,
    "Bootstrap Methods and their Application", sections 2.4 and 3.8).

    How often a cluster was drawn is the weight of its cases. The weights depend on nothing but the
    number of clusters: two versions and ten metrics are resampled alike, and in one product.

    Args:
        clusters: The cluster of each case; clusters are drawn by the order of their names.
        n_resamples: How many draws.
        seed: The same seed gives the same draws.
    """

    def __init__(
        self, clusters: Sequence[str], *, n_resamples: int = RESAMPLES, seed: int = SEED
    ) -> None:
        import numpy as np

        names = sorted(set(clusters))
        place = {name: index for index, name in enumerate(names)}
        self._members = np.array([place[cluster] for cluster in clusters])
        self._sizes = np.bincount(self._members)
        self._weights = _draw(len(names), n_resamples, seed)

    def means(self, values: "Matrix") -> "Matrix":
        """The mean over cases of each column of `values`, in each resample (a row)."""
        import numpy as np

        columns = np.column_stack((np.ones(len(self._members)), values))
        by_cluster = np.zeros((columns.shape[1], len(self._sizes)))
        np.add.at(by_cluster.T, self._members, columns)
        parts = [by_cluster @ weights.astype(float) for weights in _chunks(self._weights)]
        sums = np.concatenate(parts, axis=1).T
        means: Matrix = sums[:, 1:] / sums[:, :1]
        return means

    def quantiles(self, values: "Matrix", q: float, spread: float = 0.0) -> "Matrix":
        """The `q` quantile over cases of each column of `values`, in each resample (a row).

        Args:
            spread: As in `level_mean`.
        """
        import numpy as np

        columns = np.asarray(values, float).reshape(len(self._members), -1)
        return np.column_stack([self._quantile(column, q, spread) for column in columns.T])

    def _quantile(self, values: "Matrix", q: float, spread: float) -> "Matrix":
        import numpy as np

        order, near = values.argsort(kind="stable"), self._near(q, spread)
        case = _Ranked(self._members[order], values[order], *_levels(q, spread))
        return np.concatenate([case.level_means(w, near) for w in _chunks(self._weights)])

    def _near(self, q: float, spread: float) -> slice:
        """The ranks among which the quantile of a resample is to be expected."""
        n = len(self._members)
        error = math.sqrt(q * (1 - q) * float(self._sizes @ self._sizes)) / n
        reach = spread + FAR * error
        return slice(max(0, int(n * (q - reach))), min(n, math.ceil(n * (q + reach)) + 1))


class _Ranked:
    """Cases in the order of their values, and the levels between which to average."""

    def __init__(self, members: "Matrix", values: "Matrix", low: float, high: float) -> None:
        self._members, self._values, self._low, self._high = members, values, low, high

    def level_means(self, weights: "Matrix", near: slice) -> "Matrix":
        """One mean for each column of weights, sought among the `near` ranks, then among all."""
        import numpy as np

        n_clusters, everywhere = len(weights), slice(0, len(self._members))
        counts = [
            np.bincount(self._members[:stop], minlength=n_clusters)
            for stop in (near.start, everywhere.stop)
        ]
        below, total = (np.stack(counts) @ weights.astype(float)).astype(np.float32)
        shares = weights[self._members[near]].cumsum(axis=0, dtype=np.float32)
        shares += below
        shares /= total
        outside = (below > self._low * total).any() or (shares[-1] < self._high).any()
        if outside and near != everywhere:
            return self.level_means(weights, everywhere)
        means: Matrix = _mean_between(self._values[near], shares, self._low, self._high)
        return means


def level_mean(values: Sequence[float], q: float, spread: float) -> float:
    """The `q` quantile averaged over the levels from `q - spread` to `q + spread`.

    It is the mean of the order statistics between the two, a trimmed mean where q is 0.5 (Stigler,
    1977, "Do robust estimators work with real data?", Annals of Statistics 5). A single order
    statistic takes few values in resamples, and bounds made of them come out too wide where two
    versions go together case by case. With a spread of 0 it is the quantile.
    """
    import numpy as np

    ordered = np.sort(np.asarray(values, float))
    shares = np.arange(1, len(ordered) + 1) / len(ordered)
    return float(_mean_between(ordered, shares, *_levels(q, spread)))


def _levels(q: float, spread: float) -> tuple[float, float]:
    spread = max(min(spread, q, 1 - q), SHARP)
    return q - spread, q + spread


def _mean_between(ordered: "Matrix", shares: "Matrix", low: float, high: float) -> Any:
    """The mean between two levels; `shares` of the weight do not exceed each ordered value."""
    import numpy as np

    passed = shares[:-1] - low
    passed /= high - low
    np.clip(passed, 0, 1, out=passed)
    return ordered[-1] - np.diff(ordered).astype(passed.dtype) @ passed


@lru_cache(maxsize=2)
def _draw(n_clusters: int, n_resamples: int, seed: int) -> "Matrix":
    """How often each cluster (a row) was drawn in each resample (a column).

    Eight bits hold it: that one of more than 255 clusters is drawn more than 255 times has a
    probability below 1e-500.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    weights = np.empty((n_clusters, n_resamples), np.uint8)
    for chunk in _chunks(weights):
        size = chunk.shape[1]
        cells = random.integers(0, n_clusters, size=chunk.shape) * size + np.arange(size)
        chunk[:] = np.bincount(cells.ravel(), minlength=chunk.size).reshape(chunk.shape)
    weights.setflags(write=False)
    return weights


def _chunks(weights: "Matrix") -> "list[Matrix]":
    return [weights[:, start : start + CHUNK] for start in range(0, weights.shape[1], CHUNK)]
