"""What every kind of evidence has in common, and how much of it a decision takes."""

import math
from collections.abc import Callable
from typing import Protocol, Self

from vcmp.statistics.distributions import normal_quantile, normal_tail

ENOUGH_CASES = 3
"""With fewer no bound means anything."""
ENOUGH_CLUSTERS = 4
"""With fewer the variance between clusters cannot be estimated."""
MOST = 1000.0
"""Times the cases at hand: beyond it, "how many more" is not advice."""


class Evidence(Protocol):
    """An estimate and what can be said about its truth."""

    @property
    def estimate(self) -> float: ...

    @property
    def n(self) -> float:
        """Cases."""

    @property
    def n_clusters(self) -> float: ...

    def bounds(self, alpha: float) -> tuple[float, float]:
        """A lower and an upper bound; each alone is wrong with probability `alpha`."""

    def scaled(self, factor: float) -> Self:
        """The same evidence from `factor` times the cases."""


def needed_cases(
    evidence: Evidence,
    decided: Callable[[float, float], bool],
    alpha: float,
    power: float = 0.8,
) -> int | None:
    """Cases that give a chance of `power` to decide, if cases go on as they did.

    The smallest multiple of the cases at hand whose bounds at the level of
    z(1 - alpha) + z(power) are `decided`: the normal sample-size formula (Chow, Shao and Wang,
    2008, "Sample Size Calculations in Clinical Research", section 3.1), solved on the bounds that
    the decision itself uses. None when a thousand times the cases would not do.
    """
    level = normal_tail(normal_quantile(1 - alpha) + normal_quantile(power))

    def enough(factor: float) -> bool:
        return decided(*evidence.scaled(factor).bounds(level))

    high = 1.0
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high / 2
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return math.ceil(evidence.n * high)
