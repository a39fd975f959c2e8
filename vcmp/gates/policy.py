"""A gate policy: rules, and how sure they have to be."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from vcmp.errors import ConfigError
from vcmp.types import Comparison, Finding

OnInconclusive = Literal["block", "allow"]


class Rule(Protocol):
    """One condition on a comparison."""

    def __call__(self, comparison: Comparison, policy: "Policy", /) -> Finding: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A list of rules that must all pass.

    Raises:
        ConfigError: A number is out of range, or a choice is unknown.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    alpha: float = 0.05
    """Probability that one bound is wrong: of a rule that passes, or fails, by chance."""
    missing_limit: float = 0.10
    """Share of the cases that may lack a value; beyond it nothing is judged."""
    on_inconclusive: OnInconclusive = "block"
    primary: tuple[str, ...] = ()
    """Metrics that candidates are ranked by; () stands for those that rules name."""

    def __post_init__(self) -> None:
        where = f"gate={self.name}"
        if not 0 < self.alpha < 0.5:
            raise ConfigError(f"{where}: alpha {self.alpha!r} is not between 0 and 0.5. Try 0.05.")
        if not 0 <= self.missing_limit < 1:
            raise ConfigError(
                f"{where}: missing_limit {self.missing_limit!r} is no share of the cases from 0 "
                "to below 1. Try 0.10."
            )
        refuse_unknown(where, "on_inconclusive", self.on_inconclusive, get_args(OnInconclusive))


def refuse_unknown(where: str, field: str, value: object, known: tuple[str, ...]) -> None:
    """Raise a ConfigError unless `value` is one of the `known` choices of a field."""
    if value not in known:
        choices = f"{', '.join(known[:-1])} or {known[-1]}"
        raise ConfigError(f"{where}: {field} {value!r} is unknown. Choose {choices}.")
