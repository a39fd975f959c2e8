"""Two versions beside each other, paired by case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vcmp.types.evaluations import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What was seen of one version."""

    values: Mapping[str, Mapping[str, Sequence[float]]]
    """By metric and case id, one value for each repeat that has any."""
    asked: Mapping[str, int] = field(default_factory=dict)
    """Results there should be, by metric."""
    measurements: frozenset[str] = frozenset()
    """Metrics that are no scores: they have units, and less is better."""
    lower: frozenset[str] = frozenset()
    """Scores of which less is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One metric of one version. The tuples have one entry for each case that has a value."""

    metric: str
    case_ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """A case without a cluster is its own."""
    values: tuple[float, ...]
    """Mean over the repeats of the case."""
    total: float
    """Sum over all results that have a value."""
    scored: int
    """Results with a value."""
    asked: int
    """Results there should be."""
    score: bool = True
    """True for a scorer's value, higher is better; False for a measurement and for `error`."""
    bounded: bool = True
    """Whether the values lie in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One metric of two versions, paired by case. All tuples have one entry for each pair."""

    metric: str
    case_ids: tuple[str, ...]
    clusters: tuple[str, ...]
    """A case without a cluster is its own."""
    baseline: tuple[float, ...]
    """Mean over the repeats of the case."""
    candidate: tuple[float, ...]
    scored: tuple[int, int]
    """Results with a value, of the baseline and of the candidate."""
    asked: tuple[int, int]
    """Results there should be, of the baseline and of the candidate."""
    n_cases: int
    """Cases of the dataset; those without a pair are `n_cases - len(case_ids)`."""
    score: bool = True
    """True for a scorer's value in [0, 1], higher is better; False for a measurement."""
    bounded: bool = True
    """Whether the values lie in [0, 1]."""
    tags: tuple[tuple[str, ...], ...] = ()
    """Tags of each pair; () when no case has any."""
    repeats: float = 1.0
    """Results with a value for each case and version, on average."""
    noise: float | None = None
    """Variance of a case's difference that comes from repeating it; None without repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One metric in a comparison, summed up over the pairs.

    A measurement (latency_s, input_tokens, …) has a delta too; `improved` then counts the cases
    where it became smaller.
    """

    metric: str
    baseline: float
    """Mean over the paired cases."""
    candidate: float
    difference: float
    interval: Interval
    """95 %, of the difference; never of zero width."""
    n: int
    """Pairs."""
    n_clusters: int
    improved: int
    regressed: int
    same: int
    scored: tuple[int, int]
    asked: tuple[int, int]
    score: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One metric over the cases that share a tag."""

    tag: str
    baseline: float
    """Mean over the cases."""
    candidate: float
    interval: Interval
    """95 %, of the difference."""
    n: int
    """Pairs."""
    lost: bool = False
    """Whether the loss stands out among all slices of the metric, at a false discovery rate of
    10 %."""

    @property
    def difference(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What a pairwise judge thought of a case's two outputs, shown in both orders."""

    metric: str
    """Name under which the judge is configured."""
    case_id: str
    repeat: int = 0
    value: float | None = None
    """1 when the candidate's output is the better one, 0 when the baseline's is, 0.5 for a tie;
    None when the judge could not tell, and then `error` says why."""
    swayed: bool = False
    """Whether the place decided: the two orders disagreed, which makes a tie."""
    rationale: str = ""
    error: str = ""
    agreement: float | None = None
    """Of a judge that was asked several times, the share of its votes that say so, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A baseline and a candidate, paired by case."""

    baseline: Evaluation
    candidate: Evaluation
    pairs: Mapping[str, Paired]
    """By metric: scorer names and the measurements latency_s, input_tokens, output_tokens,
    output_chars, cost_usd, and error (0 or 1 for each result)."""
    deltas: Mapping[str, Delta]
    """By metric, the same keys as `pairs`."""
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """The candidate's own values by metric, whether or not the baseline has a value."""
    n_cases: int = 0
    """Cases that both were to be evaluated on."""
    slices: Mapping[str, tuple[Slice, ...]] = field(default_factory=dict)
    """By scorer, the tags that some cases have; most cases first."""
    swayed: Mapping[str, float] = field(default_factory=dict)
    """By pairwise judge, the share of its judgements that the order of the outputs decided."""
    agreement: Mapping[str, float] = field(default_factory=dict)
    """By pairwise judge with several votes, the share of them that agree, on average."""
