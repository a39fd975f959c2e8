"""From evidence to a finding, in words that an engineer without statistics can act on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from vcmp.gates.evidence import Lack
from vcmp.gates.policy import Policy
from vcmp.statistics import ENOUGH_CASES, ENOUGH_CLUSTERS, Evidence, needed_cases
from vcmp.types import Finding, Interval, Outcome

POWER = 0.8
CONFIDENCE = 0.95
FEW_CLUSTERS = 10
"""With fewer the bounds hold but roughly, and the finding says so."""


class Judgement(NamedTuple):
    """What two one-sided bounds say, and which of them said it."""

    outcome: Outcome
    side: Literal["low", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a rule wants to know of its evidence."""

    rule: str
    metric: str
    judge: Callable[[float, float], Judgement]
    """From the lower and the upper one-sided bound."""
    describe: Callable[[float], str]
    """The estimate in words."""
    is_loss: Callable[[float, float], bool] = lambda _low, _high: False
    """Whether these bounds mean a certain loss against the baseline."""
    if_failed: str = "Read the cases that scored lowest."
    by_point: bool = False
    """Judge the estimate alone, whatever its uncertainty."""


def answer(question: Question, evidence: Evidence | Lack, policy: Policy) -> Finding:
    """Judge the evidence. Where there are too few cases or clusters nothing is decided."""
    if isinstance(evidence, Lack):
        return lacking(question.rule, question.metric, evidence)
    if question.by_point:
        outcome, _ = question.judge(evidence.estimate, evidence.estimate)
        return _finding(question, evidence, outcome)
    if not is_enough(evidence):
        return replace(
            _finding(
                question,
                evidence,
                "inconclusive",
                f"; nothing is decided on fewer than {ENOUGH_CLUSTERS} independent cases",
            ),
            advice=f"Add cases: at least {ENOUGH_CLUSTERS} that do not share a cluster.",
        )
    low, high = evidence.bounds(policy.alpha)
    outcome, side = question.judge(low, high)
    alert = question.is_loss(low, high)
    sure = f"; {percent(1 - policy.alpha)} sure of at "
    sure += f"least {exactly(low)}" if side == "low" else f"most {exactly(high)}"
    sure += "; certainly worse than the baseline" if alert and outcome == "pass" else ""
    finding = replace(_finding(question, evidence, outcome, sure), alert=alert)
    if outcome != "inconclusive":
        return finding
    return replace(finding, advice=_needed(question, evidence, policy))


def is_enough(evidence: Evidence) -> bool:
    """Whether there are cases and clusters enough to decide on."""
    return evidence.n >= ENOUGH_CASES and evidence.n_clusters >= ENOUGH_CLUSTERS


def lacking(rule: str, metric: str, lack: Lack) -> Finding:
    """The finding of a rule that has nothing to judge."""
    return Finding(
        rule=rule,
        metric=metric,
        outcome=lack.outcome,
        observed=lack.observed,
        advice=lack.advice,
    )


def _finding(question: Question, evidence: Evidence, outcome: Outcome, sure: str = "") -> Finding:
    low, high = evidence.bounds((1 - CONFIDENCE) / 2)
    seen = f"{question.describe(evidence.estimate)} over {cases_of(evidence)}"
    return Finding(
        rule=question.rule,
        metric=question.metric,
        outcome=outcome,
        observed=f"{seen}, {percent(CONFIDENCE)} CI {number(low)} to {number(high)}{sure}",
        advice=question.if_failed if outcome == "fail" else "",
        estimate=evidence.estimate,
        interval=Interval(low=low, high=high, confidence=CONFIDENCE),
        n=int(evidence.n),
    )


def _needed(question: Question, evidence: Evidence, policy: Policy) -> str:
    def decided(low: float, high: float) -> bool:
        return question.judge(low, high).outcome != "inconclusive"

    needed = needed_cases(evidence, decided, policy.alpha, POWER)
    if needed is None:
        return "More cases will not decide this: the truth seems to lie on the limit itself."
    return (
        f"About {rounded(needed)} cases would decide, with a chance of {percent(POWER)}, "
        "if it goes on like this."
    )


def cases_of(evidence: Evidence) -> str:
    """How many cases, in how many clusters."""
    n, n_clusters = int(evidence.n), int(evidence.n_clusters)
    cases = f"{n} case{'s' * (n != 1)}"
    if n_clusters == n:
        return cases
    few = "only " if n_clusters < FEW_CLUSTERS else ""
    return f"{cases} in {few}{n_clusters} cluster{'s' * (n_clusters != 1)}"


def number(value: float, places: int = 2) -> str:
    """A score with two places, a measurement with three digits."""
    if abs(value) >= 10:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    text = f"{value:.{places}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def signed(value: float) -> str:
    """A difference, one place more than a score; one that is too small to show has no sign."""
    text = exactly(value)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def percent(share: float) -> str:
    """A share as `95 %`."""
    return f"{100 * share:.3g} %"


def exactly(value: float) -> str:
    """A number that stands close to a limit: one place more."""
    return number(value, places=3)


def rounded(count: int) -> str:
    """A count with two digits that count, rounded up: 310, 1,900."""
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"{-(-count // unit) * unit:,}"


def better_than(low: float, high: float, margin: float = 0.0) -> Judgement:
    """Above -margin for certain passes; otherwise below zero for certain fails."""
    if low > -margin:
        return Judgement("pass", "low")
    return Judgement("fail", "high") if high < 0 else Judgement("inconclusive", "low")


def at_least(low: float, high: float, limit: float) -> Judgement:
    """At the limit or above it for certain passes, below it for certain fails."""
    if low >= limit:
        return Judgement("pass", "low")
    return Judgement("fail", "high") if high < limit else Judgement("inconclusive", "low")


def at_most(low: float, high: float, limit: float) -> Judgement:
    """At the limit or below it for certain passes, above it for certain fails."""
    return mirrored(at_least(-high, -low, -limit))


def mirrored(judgement: Judgement) -> Judgement:
    """The judgement of bounds that were negated and swapped, told of the true bounds."""
    return Judgement(judgement.outcome, "high" if judgement.side == "low" else "low")
