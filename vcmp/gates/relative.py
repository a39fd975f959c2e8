"""Rules about the candidate against the baseline."""

from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal, get_args

from vcmp.errors import ConfigError
from vcmp.gates.evidence import Lack, Stat, difference, mean_of
from vcmp.gates.findings import answer
from vcmp.gates.policy import Policy, refuse_unknown
from vcmp.gates.questions import Question, above, below
from vcmp.gates.words import limit, number, signed
from vcmp.metrics import MEASUREMENTS
from vcmp.statistics import Evidence
from vcmp.types import Comparison, Finding, Paired

MARGIN = 0.05
"""A loss beyond it is critical, where a rule has no margin of its own."""
Direction = Literal["higher", "lower"]
EvidenceKind = Literal["bound", "point"]


def natural_direction(comparison: Comparison, metric: str) -> Direction:
    """Scores are better when higher, measurements and errors when lower."""
    key = mean_of(metric)
    pair = comparison.pairs.get(key)
    score = pair.score if pair else key != "error" and key not in MEASUREMENTS
    return "higher" if score else "lower"


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
    margin: float = MARGIN
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
        direction = self.direction or natural_direction(comparison, self.metric)
        sign = ">= baseline -" if direction == "higher" else "<= baseline +"
        rule = f"{self.metric} {sign} {limit(self.margin)}"
        question = about_difference(comparison, self.metric, rule, direction, self.margin)
        evidence = difference(comparison, self.metric, policy)
        pair = comparison.pairs.get(mean_of(self.metric))
        if pair and pair.bounded and self.margin >= 1:
            evidence = Lack(
                outcome="invalid",
                observed=f"a margin of {limit(self.margin)} is all that {self.metric} can lose",
                advice="Give the margin in points of the score: 0.05 is five in a hundred.",
            )
        return answer(question, evidence, policy)


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
        direction = natural_direction(comparison, self.metric)
        rule = f"{self.metric} {'>' if direction == 'higher' else '<'} baseline"
        question = about_difference(comparison, self.metric, rule, direction, margin=0.0)
        question = replace(question, by_point=self.evidence == "point")
        return answer(question, difference(comparison, self.metric, policy), policy)


def about_difference(
    comparison: Comparison, metric: str, rule: str, direction: Direction, margin: float
) -> Question:
    """What a rule asks of the difference in a metric."""
    up = direction == "higher"
    pair, delta = comparison.pairs.get(mean_of(metric)), comparison.deltas.get(mean_of(metric))
    worse, better = (delta.regressed, delta.improved) if delta else (0, 0)
    if direction != natural_direction(comparison, metric):
        worse, better = better, worse
    lost = margin or MARGIN

    def describe(value: float) -> str:
        sides = f" ({number(delta.baseline)} → {number(delta.candidate)})" if delta else ""
        return f"{signed(value)}{sides}"

    return Question(
        rule=rule,
        metric=metric,
        proves=above(-margin) if up else below(margin),
        refutes=below(0.0) if up else above(0.0),
        describe=describe,
        is_loss=below(0.0) if up else above(0.0),
        is_critical=below(-lost) if up else above(lost),
        rollout=lambda evidence, _policy: share_of_users(evidence, lost, up=up),
        is_difference=True,
        needs=_needs("> −" if up else "< +", margin),
        if_failed=f"{worse} case{'s' * (worse != 1)} got worse and {better} better: "
        "read the worst first.",
        noise=_noise_share(pair) if pair else None,
        repeats=pair.repeats if pair else 1.0,
    )


def share_of_users(evidence: Evidence, margin: float, *, up: bool) -> float:
    """The share of the users who should get a candidate that passed: more, the surer the gain.

    0.1; 0.25 when there is a gain with 80 % certainty, 0.5 with 95 %, 1 when it is above the margin
    with 95 %.
    """

    def gain(alpha: float) -> float:
        low, high = evidence.bounds(alpha)
        return low if up else -high

    if gain(0.05) > margin:
        return 1.0
    if gain(0.05) > 0:
        return 0.5
    return 0.25 if gain(0.20) > 0 else 0.1


def _noise_share(pair: Paired) -> float | None:
    """The share of the variance of the cases' differences that repeating them causes."""
    differences = [b - a for a, b in zip(pair.baseline, pair.candidate, strict=True)]
    if pair.noise is None or len(differences) < 2:
        return None
    center = fmean(differences)
    spread = fmean((difference - center) ** 2 for difference in differences)
    return min(1.0, pair.noise / spread) if spread else None


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
