"""What every kind of evidence has in common, and how much of it a decision takes."""

import math
from collections.abc import Callable
from typing import Literal, Protocol, Self, runtime_checkable

from vcmp.statistics.distributions import normal_quantile, normal_tail

ENOUGH_CASES = 3
"""With fewer no bound means anything."""
ENOUGH_CLUSTERS = 4
"""With fewer the variance between clusters cannot be estimated."""
MOST = 1000.0
"""Times the cases at hand: beyond it, "how many more" is not advice."""
LEAST_P = 1e-12
"""No p-value is told smaller."""


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
        """A lower and an upper bound; each alone is wrong with probability `alpha`, which is at
        most 0.5."""

    def scaled(self, factor: float) -> Self:
        """The same evidence from `factor` times the cases."""


@runtime_checkable
class Change(Evidence, Protocol):
    """Evidence about a change against the baseline."""

    def unchanged(self) -> Self:
        """The same evidence, had nothing changed: cases differ as much, and as often for the
        better as for the worse."""


def visible_loss(evidence: Change, alpha: float, power: float = 0.8) -> float:
    """The smallest true loss that a sample like this finds with a chance of `power`.

    How far below no change the lower bound comes, with that chance, when nothing changed; in the
    unit of the evidence.
    """
    unchanged = evidence.unchanged()
    return unchanged.estimate - _likely_bounds(unchanged, alpha, power)[0]


def p_value(evidence: Evidence, limit: float, side: Literal["low", "high"]) -> float:
    """The smallest alpha at which a bound passes `limit`: the lower bound lies above it, or the
    upper one below.

    Never below `LEAST_P`, and 1.0 where not even alpha 0.5 would do, so that between 0.5 and 1
    nothing is told apart. Accurate to 1e-4 of itself.

    Args:
        side: Which bound is asked.
    """

    def passes(log_alpha: float) -> bool:
        low, high = evidence.bounds(math.exp(log_alpha))
        return low > limit if side == "low" else high < limit

    low, high = math.log(LEAST_P), math.log(0.5)
    if not passes(high):
        return 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return math.exp(high) if high > math.log(LEAST_P) + 1e-4 else LEAST_P


def needed_cases(
    evidence: Evidence,
    decided: Callable[[float, float], bool],
    alpha: float,
    power: float = 0.8,
) -> int | None:
    """Cases that give a chance of `power` to decide, if cases go on as they did.

    The smallest multiple of the cases at hand at which the bounds of the decision itself are
    `decided` even when the estimate is as far off as `power` allows for: the normal sample-size
    formula (Chow, Shao and Wang, 2008, "Sample Size Calculations in Clinical Research", section
    3.1) with these bounds for the critical value. One bound at the level of the sum of the two
    quantiles would ask too much where few cases change, because such bounds are longer than in
    proportion far out. None when a thousand times the cases would not do.
    """

    def enough(factor: float) -> bool:
        return decided(*_likely_bounds(evidence.scaled(factor), alpha, power))

    high = 1.0
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high / 2
    while evidence.n * low > 1 and enough(low):
        low, high = low / 2, low
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return math.ceil(evidence.n * high)


def proving_cases(evidence: Evidence, proven: Callable[[float, float], bool], alpha: float) -> int:
    """The fewest cases whose bounds prove something, if the estimate stays what it is.

    Exact, and only for what enough cases do prove: a limit that the estimate keeps.
    """

    def enough(n: int) -> bool:
        return proven(*evidence.scaled(n / evidence.n).bounds(alpha))

    low, high = 0, max(1, round(evidence.n))
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _likely_bounds(evidence: Evidence, alpha: float, power: float) -> tuple[float, float]:
    """What the bounds come to with a chance of `power`, if the estimate is true: each moved
    outwards by as many standard errors. These are read off the bounds that normal numbers have
    one standard error away."""
    low, high = evidence.bounds(alpha)
    near_low, near_high = evidence.bounds(normal_tail(1.0))
    z = normal_quantile(power)
    return low - z * (evidence.estimate - near_low), high + z * (near_high - evidence.estimate)
