"""One version over one dataset: who answered, who judged, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vcmp.types.cases import Case, Dataset
from vcmp.types.results import Outcomes, Result
from vcmp.types.versions import Version

PASSING = 0.5
"""A score from which on a judge calls an answer good."""


TIE = 0.5
"""A preference for neither of two answers."""


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
class Canary:
    """What a judge said of an answer that is known to be bad."""

    metric: str
    case_id: str = ""
    """The case whose question it was to answer."""
    output: str = ""
    """The bad answer; "" where this judge was to be shown none."""
    value: float | None = None
    """The score it got, or, of a judge that compares, its preference over a real answer; None when
    the judge gave none."""
    rationale: str = ""
    error: str = ""
    compared: bool = False
    """Whether it stood beside a real answer."""

    @property
    def void(self) -> bool:
        """Whether the judge took it for good, or for better than a real answer, so that nothing
        else that it says counts."""
        if self.value is None:
            return False
        return self.value > TIE if self.compared else self.value >= PASSING

    @property
    def reason(self) -> str:
        """Why the judge is void; "" when it is not."""
        if not self.void:
            return ""
        return f"the judge is void, a known-bad answer got {self.value:.2f} from it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Who answered the calls."""

    name: str
    """`scripted`, `openai`, `compatible`, `record`, `replay`: the choice in `conf/provider`."""
    scripted: bool = False
    """True when no language model was called: latency and cost then mean nothing."""
    description: str = ""
    """In words, for screen and report: "scripted demo, no language model was called"."""
    reuses: bool = False
    """Whether an answer may be one that was given before: another run is then no new evidence."""
    address: str = ""
    """Base URL of the API that is asked, without a password; "" where none is."""

    @property
    def identity(self) -> str:
        """Equal where the same ones answer, whatever they may reuse."""
        return f"{self.name} at {self.address}" if self.address else self.name


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

    canaries: tuple[Canary, ...] = ()
    """What its judges said of known-bad answers, one for each judge."""

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
