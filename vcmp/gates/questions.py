"""Questions: what a rule asks of its evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vcmp.gates.policy import Policy
from vcmp.statistics import Evidence

Side = Literal["low", "high"]
Test = Callable[[float, float], Side | None]
"""From a lower and an upper bound: the one that says so, or None when neither does."""


def never(_low: float, _high: float) -> None:
    """A test that nothing passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a rule wants to know of its evidence."""

    rule: str
    metric: str
    proves: Test
    """Whether bounds mean that the rule holds."""
    refutes: Test
    """Whether they mean that it does not."""
    describe: Callable[[float], str]
    """The estimate in words."""
    is_loss: Test = never
    """Whether these bounds mean a loss against the baseline."""
    is_critical: Test = never
    """Whether they mean a loss beyond the limit."""
    rollout: Callable[[Evidence, Policy], float] | None = None
    """Share of the users that a pass is worth; None where the rule is about no difference."""
    if_failed: str = "Read the cases that scored lowest."
    by_point: bool = False
    """Judge the estimate alone, whatever its uncertainty."""
    is_difference: bool = False
    """Whether the numbers have a sign to be shown."""
    needs: str = ""
    """What the bounds have to be, in words; "" where the rule's text says it."""
    noise: float | None = None
    """Share of the evidence's variance that more repeats would lessen; None where unknown."""
    repeats: float = 1.0
    """Repeats behind the evidence."""


def above(limit: float) -> Test:
    """Certainly above the limit."""
    return lambda low, _high: "low" if low > limit else None


def below(limit: float) -> Test:
    """Certainly below the limit."""
    return lambda _low, high: "high" if high < limit else None


def at_least(limit: float) -> Test:
    """Certainly at the limit or above it."""
    return lambda low, _high: "low" if low >= limit else None


def at_most(limit: float) -> Test:
    """Certainly at the limit or below it."""
    return lambda _low, high: "high" if high <= limit else None
