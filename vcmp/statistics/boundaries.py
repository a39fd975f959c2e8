"""Group-sequential boundaries: how large a test statistic has to be at each of several looks, so
that all of them together err no more often than one."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vcmp.statistics.distributions import normal_tail, normal_tails

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[Any]

Spending = Callable[[float, float], float]
"""How much of alpha is spent when a share of the information is in; all of it at 1."""
FAR = 9.0
"""Standard deviations below the mean where nothing is left: 1e-19."""
FURTHEST = 37.0
"""No boundary lies higher; the normal tail ends there for a computer."""
NODES = 10
"""Of Gauss and Legendre's rule on a stretch as long as the step's standard deviation."""


def quadratic(alpha: float, fraction: float) -> float:
    """Spends little early: the power family with exponent 2 (Kim and DeMets, 1987, "Design and
    analysis of group sequential tests based on the type I error spending rate function",
    Biometrika 74)."""
    return alpha * fraction**2


def boundaries(
    alpha: float, fractions: Sequence[float], spending: Spending = quadratic
) -> tuple[float, ...]:
    """The one-sided boundary of the z statistic at each look.

    Under the null hypothesis the statistic passes one of them with probability `alpha`, and one
    of the first k with that which is spent by then. By the recursion of Armitage, McPherson and
    Rowe (1969, "Repeated significance tests on accumulating data", Journal of the Royal
    Statistical Society A 132): from the density of the sum over what has not yet passed, look for
    look, by Gauss and Legendre's rule. Accurate to 1e-6.

    Args:
        alpha: Above 0 and below 0.5.
        fractions: Share of the information at each look: rising, above 0, the last is 1.

    Raises:
        ValueError: alpha or a fraction is out of range.
    """
    import numpy as np

    _refuse(alpha, fractions)
    sums, weights = np.zeros(1), np.ones(1)
    found: list[float] = []
    before = 0.0
    for fraction in fractions:
        step, root = math.sqrt(fraction - before), math.sqrt(fraction)
        spent = spending(alpha, fraction) - (spending(alpha, before) if before else 0.0)
        found.append(_passed_by(spent, sums / root, weights, step / root))
        nodes, lengths = _rule(-FAR * root, found[-1] * root, step)
        gaps = (nodes[:, None] - sums) / step
        density = np.exp(-gaps * gaps / 2) @ weights / (step * math.sqrt(2 * math.pi))
        sums, weights, before = nodes, density * lengths, fraction
    return tuple(found)


@lru_cache(maxsize=1024)
def nominal_levels(
    alpha: float, looks: int, look_fractions: tuple[float, ...] | None = None
) -> tuple[float, ...]:
    """The one-sided level at which to test at each look, when alpha is spent as the square of
    what is known.

    Args:
        alpha: Above 0 and below 0.5.
        looks: How many; they are equally spaced unless `look_fractions` says where they are.

    Raises:
        ValueError: alpha or a fraction is out of range, or there is not one for each look.
    """
    fractions = look_fractions or tuple(look / looks for look in range(1, looks + 1))
    if len(fractions) != looks:
        raise ValueError(f"{looks} looks at {len(fractions)} fractions")
    _refuse(alpha, fractions)
    if looks == 1:
        return (alpha,)
    return tuple(normal_tail(z) for z in boundaries(alpha, fractions))


def _refuse(alpha: float, fractions: Sequence[float]) -> None:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha {alpha!r} is not between 0 and 0.5")
    rising = all(a < b for a, b in zip((0.0, *fractions), fractions, strict=False))
    if not fractions or not rising or fractions[-1] != 1:
        raise ValueError(f"fractions {list(fractions)!r} do not rise from above 0 to 1")


def _passed_by(spent: float, means: "Vector", weights: "Vector", deviation: float) -> float:
    """Bisect for what a mixture of normal numbers exceeds with probability `spent`."""
    low, high = -FAR, FURTHEST
    for _ in range(60):
        middle = (low + high) / 2
        passed = float(weights @ normal_tails((middle - means) / deviation))
        low, high = (middle, high) if passed > spent else (low, middle)
    return high


def _rule(low: float, high: float, scale: float) -> "tuple[Vector, Vector]":
    """Nodes and weights of a rule composed of stretches no longer than `scale`."""
    import numpy as np

    stretches = math.ceil((high - low) / scale)
    points, weights = np.polynomial.legendre.leggauss(NODES)
    half = (high - low) / stretches / 2
    centers = low + half * (2 * np.arange(stretches) + 1)
    return (centers[:, None] + half * points).ravel(), np.tile(half * weights, stretches)
