"""Rules about the candidate against the baseline."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from vcmp.errors import ConfigError
from vcmp.gates.evidence import Lack, Stat, difference, mean_of, ratio
from vcmp.gates.findings import (
    Judgement,
    Question,
    answer,
    at_most,
    better_than,
    cases_of,
    limit,
    mirrored,
    number,
    signed,
)
from vcmp.gates.policy import Policy, refuse_unknown
from vcmp.metrics import MEASUREMENTS
from vcmp.types import Comparison, Finding

Direction = Literal["higher", "lower"]
EvidenceKind = Literal["bound", "point"]
ENOUGH_FOR_P95 = 300
"""Cases; with fewer a 95th percentile rests on a handful of them."""


def natural_direction(metric: str) -> Direction:
    """Scores are better when higher, measurements and errors when lower."""
    key = mean_of(metric)
    return "lower" if key == "error" or key in MEASUREMENTS else "higher"


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """The candidate is not worse than the baseline by `margin` or more.

    Passes when the difference is certainly above -margin, fails when it is certainly below 0 and
    not certainly above -margin. A certain loss inside the margin passes with an alert.

    Args:
        margin: The loss that would still be accepted: points of a score, or the unit of a
            measurement.
        direction: Which way is better; by default up for scores, down for measurements and errors.

    Raises:
        ConfigError: The margin is not above 0, the direction unknown, or the metric no mean.
    """

    metric: str
    margin: float = 0.05
    direction: Direction | None = None

    def __post_init__(self) -> None:
        refuse_statistic("NonInferiority", self.metric)
        if not self.margin > 0:
            raise ConfigError(
                f"NonInferiority: margin {self.margin!r} is not above 0. "
                "To ask for a gain use Superiority."
            )
        if self.direction is not None:
            refuse_unknown("NonInferiority", "direction", self.direction, get_args(Direction))

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        direction = self.direction or natural_direction(self.metric)
        sign = ">= baseline -" if direction == "higher" else "<= baseline +"
        rule = f"{self.metric} {sign} {limit(self.margin)}"
        question = about_difference(comparison, self.metric, rule, direction, self.margin)
        return answer(question, difference(comparison, self.metric, policy), policy)


@dataclass(frozen=True, slots=True)
class Superiority:
    """The candidate is better than the baseline: for certain, or by `point` in the numbers seen.

    Raises:
        ConfigError: The kind of evidence is unknown, or the metric no mean.
    """

    metric: str
    evidence: EvidenceKind = "bound"

    def __post_init__(self) -> None:
        refuse_statistic("Superiority", self.metric)
        refuse_unknown("Superiority", "evidence", self.evidence, get_args(EvidenceKind))

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        direction = natural_direction(self.metric)
        rule = f"{self.metric} {'>' if direction == 'higher' else '<'} baseline"
        question = about_difference(comparison, self.metric, rule, direction, margin=0.0)
        if self.evidence == "point":
            judge = question.judge
            question = replace(
                question,
                by_point=True,
                judge=lambda low, high: Judgement(
                    "pass" if judge(low, high).outcome == "pass" else "fail", "low"
                ),
            )
        return answer(question, difference(comparison, self.metric, policy), policy)


@dataclass(frozen=True, slots=True)
class MaxRatio:
    """The candidate's latency, tokens or cost is at most `max` times the baseline's, for certain.

    Args:
        stat: Ratio of what: `p50`, `p95` (from 300 cases), `total`, or `gmr`, the geometric mean
            of the cases' own ratios.

    Raises:
        ConfigError: `max` is not above 0, the statistic unknown, or part of the metric's name.
    """

    metric: str
    max: float = 1.2
    stat: Stat = "p50"

    def __post_init__(self) -> None:
        refuse_statistic("MaxRatio", self.metric)
        refuse_unknown("MaxRatio", "stat", self.stat, get_args(Stat))
        if not self.max > 0:
            raise ConfigError(f"MaxRatio: max {self.max!r} is not above 0. Try 1.2.")

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        name = f"{self.metric}/{self.stat}"
        question = Question(
            rule=f"{name} <= {limit(self.max)} x baseline",
            metric=self.metric,
            judge=lambda low, high: at_most(low, high, self.max),
            describe=lambda value: f"{number(value)} x baseline",
            is_loss=lambda low, _high: low > 1,
            if_failed="Look at the cases that grew most.",
        )
        evidence = ratio(comparison, self.metric, self.stat, policy)
        if self.stat == "p95" and not isinstance(evidence, Lack) and evidence.n < ENOUGH_FOR_P95:
            seen = f"{question.describe(evidence.estimate)} over {cases_of(evidence)}"
            evidence = Lack(
                outcome="inconclusive",
                observed=f"{seen}, too few for a 95th percentile",
                advice=f"Use stat: p50 or gmr, or evaluate at least {ENOUGH_FOR_P95} cases.",
            )
        return answer(question, evidence, policy)


def about_difference(
    comparison: Comparison, metric: str, rule: str, direction: Direction, margin: float
) -> Question:
    """What a rule asks of the difference in a metric."""
    up = direction == "higher"
    delta = comparison.deltas.get(mean_of(metric))
    worse, better = (delta.regressed, delta.improved) if delta else (0, 0)

    def judge(low: float, high: float) -> Judgement:
        return better_than(low, high, margin) if up else mirrored(better_than(-high, -low, margin))

    def describe(value: float) -> str:
        sides = f" ({number(delta.baseline)} → {number(delta.candidate)})" if delta else ""
        return f"{signed(value)}{sides}"

    return Question(
        rule=rule,
        metric=metric,
        judge=judge,
        describe=describe,
        is_difference=True,
        needs=_needs("> −" if up else "< +", margin),
        is_loss=lambda low, high: high < 0 if up else low > 0,
        if_failed=f"{worse} case{'s' * (worse != 1)} got worse and {better} better: "
        "read the worst first.",
    )


def _needs(side: str, margin: float) -> str:
    return f"{side}{limit(margin)}" if margin else f"{side[0]} 0"


def refuse_statistic(rule: str, metric: str) -> None:
    """Raise a ConfigError for a metric that is not a mean over cases."""
    name, _, statistic = metric.partition("/")
    if statistic in ("", "mean"):
        return
    instead = f"Use MaxRatio with metric: {name} and stat: {statistic}."
    if statistic not in get_args(Stat):
        instead = f"Give metric: {name}."
    raise ConfigError(f"{rule}: {metric!r} is no mean over cases. {instead}")
