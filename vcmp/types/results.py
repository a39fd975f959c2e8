"""What came of one run of one case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vcmp.calls import Call
from vcmp.errors import ConfigError


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
    agreement: float | None = None
    """Of a judge that was asked several times, the share of its votes that say so, in [0, 1]."""


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
