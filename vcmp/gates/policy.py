"""A gate policy: rules, and how sure they have to be."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self, get_args

from vcmp.errors import ConfigError
from vcmp.statistics import nominal_levels
from vcmp.types import Comparison, Finding

OnInconclusive = Literal["block", "allow"]
Select = Literal["every", "best_passing"]
MOST_LOOKS = 20


class Rule(Protocol):
    """One condition on a comparison."""

    def __call__(self, comparison: Comparison, policy: "Policy", /) -> Finding: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the gate knows while it decides, and a policy's file does not say."""

    pass_share: float = 1.0
    """Share of alpha for a pass, where several candidates or rules might pass by chance."""
    fail_share: float = 1.0
    """Share of alpha for a failure, where several rules might fail by chance."""
    look: int = 0
    """Which of the planned looks this is, from 1; 0 where all cases are looked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A list of rules that must all pass.

    Raises:
        ConfigError: A number is out of range, or a choice is unknown.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    alpha: float = 0.05
    """Probability of a pass, and of a failure, by chance: of the whole policy, not of a rule."""
    missing_limit: float = 0.10
    """Share of the cases that may lack a value; beyond it nothing is judged."""
    on_inconclusive: OnInconclusive = "block"
    primary: tuple[str, ...] = ()
    """Metrics that candidates are ranked by; () stands for those that rules name."""
    looks: int = 1
    """Planned looks: from 2 on the evaluation stops at the first that decides."""
    select: Select = "every"
    """Whether every candidate has to pass, or one of them is chosen."""
    stage: Stage = Stage()

    def __post_init__(self) -> None:
        where = f"gate={self.name}"
        if not 0 < self.alpha < 0.5:
            raise ConfigError(f"{where}: alpha {self.alpha!r} is not between 0 and 0.5. Try 0.05.")
        if not 0 <= self.missing_limit < 1:
            raise ConfigError(
                f"{where}: missing_limit {self.missing_limit!r} is no share of the cases from 0 "
                "to below 1. Try 0.10."
            )
        if not 1 <= self.looks <= MOST_LOOKS:
            raise ConfigError(
                f"{where}: looks {self.looks!r} is no number from 1 to {MOST_LOOKS}. Try 5."
            )
        refuse_unknown(where, "on_inconclusive", self.on_inconclusive, get_args(OnInconclusive))
        refuse_unknown(where, "select", self.select, get_args(Select))

    @property
    def early(self) -> bool:
        """Whether more cases may come: nothing passes then that is not proven."""
        return 0 < self.stage.look < self.looks

    @property
    def pass_level(self) -> float:
        """Probability with which a bound that lets a rule pass may be wrong."""
        return self._level(self.stage.pass_share)

    @property
    def fail_level(self) -> float:
        """Probability with which a bound that fails a rule, or raises an alert, may be wrong."""
        return self._level(self.stage.fail_share)

    def at(self, look: int) -> Self:
        """The policy at a planned look; 0 is the whole of the cases at once."""
        return replace(self, stage=replace(self.stage, look=look))

    def sharing(self, *, passes: float = 1.0, fails: float = 1.0) -> Self:
        """The policy with a share of the present levels for a pass and for a failure."""
        stage = replace(
            self.stage,
            pass_share=self.stage.pass_share * passes,
            fail_share=self.stage.fail_share * fails,
        )
        return replace(self, stage=stage)

    def _level(self, share: float) -> float:
        if not self.stage.look:
            return self.alpha * share
        return nominal_levels(self.alpha * share, self.looks)[self.stage.look - 1]


def refuse_unknown(where: str, field: str, value: object, known: tuple[str, ...]) -> None:
    """Raise a ConfigError unless `value` is one of the `known` choices of a field."""
    if value not in known:
        choices = f"{', '.join(known[:-1])} or {known[-1]}"
        raise ConfigError(f"{where}: {field} {value!r} is unknown. Choose {choices}.")
