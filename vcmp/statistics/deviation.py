"""How far the truth may lie from a ratio of two sums."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Self

from vcmp.statistics.distributions import t_quantile

NOTHING = 1e-9
"""Of the estimate; what is smaller is rounding."""
BOUNDLESS = 1e9
"""Times the estimate: what is possible here has no bound."""
HIDDEN = 10.0
"""See `Deviation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far the truth may lie from an estimate that is one sum over clusters over another.

    It may lie x off while the mean over clusters of y - x w is not told from zero (Fieller, 1954,
    "Some problems in interval estimation", Journal of the Royal Statistical Society B 16) by
    Student's t with one degree of freedom less than there are clusters. Each cluster's part in it
    is divided by what the cluster leaves to the others (MacKinnon and White, 1985, "Some
    heteroskedasticity-consistent covariance matrix estimators with improved finite sample
    properties", Journal of Econometrics 29), or a few expensive clusters would hide their own
    spread.

    Hall's transformation (1992, "On the removal of skewness by transformation", Journal of the
    Royal Statistical Society B 54) moves the bound out on the side of the long tail, and no bound
    in: a sample that happens to lack the tail looks symmetric, or skewed the other way. A sample
    understates the skewness, a small one most, so the skewness is raised by the share of
    `HIDDEN` / sqrt(clusters), as much as it took in simulations of lognormal, gamma and Pareto
    costs.
    """

    n_clusters: float
    squares: tuple[float, float, float]
    """Means over clusters of yy, yw, ww; y and w are a cluster's parts in the two sums, less the
    mean part and in units of it, divided by what the cluster leaves to the others."""
    cubes: tuple[float, float, float, float]
    """Means over clusters of yyy, yyw, yww, www."""
    least_error: float
    """A standard error where all clusters agree, which says nothing about their spread."""
    limits: tuple[float, float] = (-math.inf, math.inf)
    """Where x ends at the latest."""

    def scaled(self, factor: float) -> Self:
        return replace(
            self, n_clusters=self.n_clusters * factor, least_error=self.least_error / factor
        )

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The furthest x below and above 0, which may be infinite."""
        t = t_quantile(1 - alpha, max(1.0, self.n_clusters - 1))
        step = self._error(0.0)
        low = _furthest(lambda x: self._reach(-x, t, -1), step)
        high = _furthest(lambda x: self._reach(x, t, 1), step)
        least, most = self.limits
        return max(least, -low), min(most, high)

    def _reach(self, x: float, t: float, side: int) -> float:
        """How far off is still possible, by the spread that clusters have if `x` is true."""
        return self._error(x) * max(t, -unskewed(-t, side * self._skewness(x)))

    def _error(self, x: float) -> float:
        return max(self.least_error, math.sqrt(self._second(x) / self.n_clusters))

    def _second(self, x: float) -> float:
        yy, yw, ww = self.squares
        return max(0.0, yy - 2 * x * yw + x * x * ww)

    def _skewness(self, x: float) -> float:
        """Of the mean of y - x w, as far as it has to be feared."""
        second, root = self._second(x), math.sqrt(self.n_clusters)
        if second <= NOTHING**2:
            return 0.0
        yyy, yyw, yww, www = self.cubes
        third = yyy - 3 * x * yyw + 3 * x * x * yww - x**3 * www
        return third / (second * math.sqrt(second)) / root * (1 + HIDDEN / root)


def _furthest(reach: Callable[[float], float], step: float) -> float:
    """The first x above 0 that is out of its own reach.

    Sought in steps that do not depend on alpha: where there are several such x, a smaller alpha
    never finds a nearer one.
    """
    high = step
    while reach(high) >= high:
        high *= 2
        if high > BOUNDLESS:
            return math.inf
    low = 0.0 if high == step else high / 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if reach(middle) >= middle else (low, middle)
    return high


def unskewed(t: float, skewness: float) -> float:
    """Hall's transformation turned round."""
    if abs(skewness) < NOTHING:
        return t
    return 3 / skewness * (math.cbrt(1 + skewness * (t - skewness / 6)) - 1)


def deviation_of(
    y: Sequence[float], w: Sequence[float], shares: Sequence[float], least_error: float
) -> Deviation:
    """The deviation of a ratio of two sums.

    Args:
        y: Each cluster's part in the upper sum.
        w: Its part in the lower one.
        shares: Its share of all there is, in [0, 1].
        least_error: Standard error where all clusters agree.
    """
    left = [max(NOTHING, 1 - share) for share in shares]
    ys, ws = (
        [(part - mean) / rest for part, rest in zip(parts, left, strict=True)]
        for parts, mean in ((y, fmean(y)), (w, fmean(w)))
    )
    yy, yw, ww = _products(ys, ys), _products(ys, ws), _products(ws, ws)
    squares = fmean(yy), fmean(yw), fmean(ww)
    return Deviation(
        n_clusters=len(y),
        squares=squares,
        cubes=(
            fmean(_products(ys, yy)),
            fmean(_products(yy, ws)),
            fmean(_products(ys, ww)),
            fmean(_products(ws, ww)),
        ),
        least_error=least_error if squares[0] <= NOTHING**2 else 0.0,
    )


def _products(left: Sequence[float], right: Sequence[float]) -> list[float]:
    return [a * b for a, b in zip(left, right, strict=True)]
