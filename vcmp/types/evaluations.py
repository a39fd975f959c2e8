"""What is evaluated, and what came of it."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from vcmp.calls import Call
from vcmp.digests import digest_of
from vcmp.errors import ConfigError

RESULT_SCHEMA = 1
"""Version of the layout of a result; one of another layout is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a dataset: what goes into the agent and what is expected of it."""

    id: str
    inputs: Mapping[str, Any]
    """The agent is called with these as keyword arguments."""
    expectations: Mapping[str, Any] = field(default_factory=dict)
    """What scorers may look at; the agent never sees it."""
    cluster: str = ""
    """Cases that belong together (paraphrases, turns of a conversation) share it; "" is alone."""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Named cases with unique ids."""

    name: str
    cases: tuple[Case, ...]

    @property
    def digest(self) -> str:
        """Digest of the content of the cases; neither their order nor the name counts."""
        rows = ([c.id, c.inputs, c.expectations, c.cluster, sorted(c.tags)] for c in self.cases)
        return digest_of(sorted((list(row) for row in rows), key=lambda row: str(row[0])))

    def shuffled(self, seed: int) -> tuple[Case, ...]:
        """The cases in the order in which they are evaluated: random, the same for every version,
        and whatever their order in the file."""
        cases = sorted(self.cases, key=lambda case: case.id)
        random.Random(seed).shuffle(cases)
        return tuple(cases)


def prefix(n_cases: int, look: int, looks: int) -> int:
    """How many cases, in the order in which they are evaluated, one of several looks sees."""
    return -(-n_cases * look // looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One configuration of an agent."""

    name: str
    """File name plus the overrides as a slug: `empathetic-temperature_0_7`."""
    choice: str = ""
    """The file in `conf/agent` it came from, without its ending."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """All parameters as the agent got them (prompt, model, temperature, …); JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The git commit the evaluation ran on, and whether the tree differed from it."""

    commit: str
    """40 hexadecimal digits."""
    branch: str = ""
    """"" on a detached HEAD."""
    dirty: str = ""
    """Digest of what differs from the commit; "" for a clean tree."""
    remote_url: str = ""
    """URL of the remote, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A variant at a revision; one MLflow LoggedModel."""

    name: str
    """`<app>-<variant>-git-<sha8>[-dirty-<digest6>]`, outside git `<app>-<variant>-local-dev`."""
    app: str
    variant: Variant
    revision: Revision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an output cost; None is unknown, never zero."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One scorer's judgement of one output.

    `value` lies in [0, 1] and higher is better. It is None exactly when the scorer could not tell,
    and then `error` says why: a failed scorer is not a zero.
    """

    value: float | None
    rationale: str = ""
    error: str = ""


RunOutcome = Literal["ok", "error", "timeout", "empty", "refusal", "filtered", "truncated"]
"""What came of an agent's run of a case: an answer, an exception, nothing within the deadline, or
what is no whole answer: an empty one, the model's refusal, what the provider's filter left, a text
cut off at the token limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Which runs that gave no whole answer count as failures ("fail"), and which are scored as any
    other output ("score").

    Raises:
        ConfigError: One is neither.
    """

    empty: str = "fail"
    refusal: str = "score"
    filtered: str = "fail"
    truncated: str = "score"

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) not in ("fail", "score"):
                raise ConfigError(
                    f"outcomes.{name}={getattr(self, name)} is unknown. Choose fail or score."
                )

    def fails(self, outcome: RunOutcome) -> bool:
        """Whether a result that ended so is a failure."""
        return outcome in ("error", "timeout") or getattr(self, outcome, "score") == "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What happened when an agent ran one case once."""

    case_id: str
    repeat: int = 0
    key: str = ""
    """Digest of all that the result is the answer to, as `Plan.key` gives it."""
    output: Any = None
    """What the agent returned, as a JSON value; None when it raised."""
    outcome: RunOutcome = "ok"
    error: str = ""
    """Why the result counts as a failure; "" when it does not."""
    finish: str = ""
    """Why the model stopped ("stop", "length", …), of the last call; "" when no call was seen."""
    started_s: float = 0.0
    """Unix time in seconds."""
    latency_s: float = 0.0
    """Seconds the agent took, without the time lost to failed attempts."""
    usage: Usage = field(default_factory=Usage)
    """Of the agent's own calls; judges are not counted."""
    scores: Mapping[str, Score] = field(default_factory=dict)
    """By scorer name; empty when the agent failed."""
    calls: tuple[Call, ...] = ()
    """The agent's calls to a language model, in the order in which they ended."""
    trace: tuple[Mapping[str, Any], ...] = ()
    """Spans of an agent that traces itself, as `mlflow.entities.Span.to_dict` gives them."""

    def __post_init__(self) -> None:
        if self.error and self.outcome == "ok":
            object.__setattr__(self, "outcome", "error")

    def value(self, scorer: str) -> float | None:
        """The score that counts: the worst, 0, when the agent failed; None when unscored."""
        if self.error:
            return 0.0
        score = self.scores.get(scorer)
        return None if score is None else score.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerCard:
    """What has to be equal for two scores of one name to be comparable."""

    digest: str
    """Of the scorer's class, its source and its parameters."""
    judge: bool = False
    """Whether it asks a model."""
    model: str = ""
    """The model a judge asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Who answered the calls."""

    name: str
    """`scripted`, `openai`, `compatible`: the choice in `conf/provider`."""
    scripted: bool = False
    """True when no language model was called: latency and cost then mean nothing."""
    description: str = ""
    """In words, for screen and report: "scripted demo, no language model was called"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One version over one dataset."""

    version: Version
    dataset: Dataset
    scorers: Mapping[str, ScorerCard]
    answerer: Answerer
    results: tuple[Result, ...]
    """At most one for each case and repeat; fewer only when the evaluation was interrupted."""
    repeats: int = 1
    seed: int = 0
    outcomes: Outcomes = field(default_factory=Outcomes)
    stopped: str = ""
    """Why it ended before its time, where not by a signal: "budget: …", "provider: …"."""
    asked: Mapping[str, int] | None = None
    """Results there should be, by case id, where that is not `repeats` of every case: a planned
    look ended the evaluation, or something `stopped` it, and what came after was never asked."""
    earlier: frozenset[str] = frozenset()
    """Cases that earlier runs had asked, where those are pooled with this one."""

    def n_asked_of(self, case_id: str) -> int:
        """Results there should be of a case of the dataset."""
        return self.repeats if self.asked is None else self.asked.get(case_id, 0)

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases that were asked, in the order of the dataset."""
        return tuple(case for case in self.dataset.cases if self.n_asked_of(case.id))

    @property
    def n_asked(self) -> int:
        """Results there should be: those of an evaluation that a planned look ended, up to it."""
        return sum(self.n_asked_of(case.id) for case in self.dataset.cases)

    @property
    def complete(self) -> bool:
        """Whether it came to its end, and nothing that was asked is missing."""
        return len(self.results) == self.n_asked and not self.stopped


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
    outcomes: Outcomes = field(default_factory=Outcomes)

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ConfigError(f"repeats={self.repeats} asks nothing. Give it 1 or more.")

    def key(self, case: Case, repeat: int) -> str:
        """Digest of all that a result of this plan depends on, but for the agent's code: that is in
        the version's name."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a sweep may spend at most, on agents and judges together; None is no bound.

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
