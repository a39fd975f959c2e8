"""What is to be evaluated, and how hard, how long and for how much to try."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from vcmp.digests import digest_of
from vcmp.errors import ConfigError
from vcmp.types.cases import Case, Dataset
from vcmp.types.evaluations import Answerer, Canary, Evaluation, ScorerCard
from vcmp.types.results import Outcomes, Result
from vcmp.types.versions import Version

RESULT_SCHEMA = 1
"""Version of the layout of a result; one of another layout is asked for again."""


class Agent(Protocol):
    """The callable under test: takes a case's inputs as keywords, returns a JSON value."""

    def __call__(self, **inputs: Any) -> Any | Awaitable[Any]: ...


class Scorer(Protocol):
    """Judges one output: a number in [0, 1], a bool, or a `Score`; raises when it cannot tell."""

    def __call__(self, case: Case, output: Any) -> Any | Awaitable[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One version with everything its evaluation needs, built and checked."""

    version: Version
    agent: Callable[..., Any]
    dataset: Dataset
    scorers: Mapping[str, Callable[..., Any]]
    cards: Mapping[str, ScorerCard]
    """By scorer name, the same keys as `scorers`."""
    answerer: Answerer
    repeats: int = 1
    seed: int = 0
    pairwise: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Judges, by metric, that compare this version's outputs with the baseline's."""
    known_bad: Mapping[str, str | None] = field(default_factory=dict)
    """By metric, the known-bad answer for a judge that is not to see the usual one; None for a
    judge that is to see none."""
    canaries: tuple[Canary, ...] = ()
    """What its judges said of known-bad answers."""
    outcomes: Outcomes = field(default_factory=Outcomes)

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ConfigError(f"repeats={self.repeats} asks nothing. Give it 1 or more.")

    def key(self, case: Case, repeat: int) -> str:
        """Digest of all that a result of this plan depends on, but for the agent's code and the
        address that is asked: these are the same in all of a sweep."""
        variant = self.version.variant
        own = [
            RESULT_SCHEMA,
            variant.name,
            variant.params,
            self.answerer.name,
            asdict(self.outcomes),
        ]
        cards = {name: asdict(card) for name, card in self.cards.items()}
        row = [case.id, case.inputs, case.expectations, repeat, self.seed]
        return digest_of([own, cards, row])

    def evaluation(self, results: Iterable[Result]) -> Evaluation:
        """What came of it, when these are its results."""
        return Evaluation(
            version=self.version,
            dataset=self.dataset,
            scorers=self.cards,
            answerer=self.answerer,
            results=tuple(results),
            repeats=self.repeats,
            seed=self.seed,
            outcomes=self.outcomes,
            canaries=self.canaries,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a sweep may spend at most, on agents and judges and in all its runs together; None is
    no bound.

    Raises:
        ConfigError: A bound is not above zero.
    """

    usd: float | None = None
    tokens: int | None = None
    minutes: float | None = None
    calls: int | None = None
    """Requests to a model, each attempt counted."""
    confirm_usd: float | None = None
    """A worst case above it is asked about on a terminal, and refused elsewhere."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise ConfigError(
                    f"budget.{name}={bound} leaves nothing to spend. Give it more than 0, or null."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What calls have taken."""

    calls: int = 0
    """Requests to a model, each attempt counted."""
    tokens: int = 0
    usd: float | None = 0.0
    """None once the price of one is unknown."""
    minutes: float = 0.0
    """Wall-clock time in which they were made."""

    def __add__(self, other: "Spent") -> "Spent":
        known = self.usd is not None and other.usd is not None
        return Spent(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            usd=(self.usd or 0.0) + (other.usd or 0.0) if known else None,
            minutes=self.minutes + other.minutes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How hard and how long to try.

    Raises:
        ConfigError: A number is not above zero.
    """

    concurrency: int = 16
    """Cases in flight, over all versions together."""
    attempts: int = 3
    """Tries of one call, the first included."""
    call_deadline_s: float = 60.0
    """Wall-clock seconds for one attempt of one call."""
    case_deadline_s: float = 180.0
    """Wall-clock seconds for one case, all its calls and waits included."""

    def __post_init__(self) -> None:
        for limit in ("concurrency", "attempts", "call_deadline_s", "case_deadline_s"):
            value = getattr(self, limit)
            if not value > 0:
                raise ConfigError(f"{limit}={value} leaves no room to run. Give it more than 0.")
