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
"""With fewer a number that decides by itself is told as seen, not proven."""
NEEDS = "; needs "
"""Stands before the limit that a bound has to pass."""
MINUS = "−"
NOTHING = 1e-9
"""What is smaller is rounding."""


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
    is_difference: bool = False
    """Whether the numbers have a sign to be shown."""
    needs: str = ""
    """What the bounds have to be, in words; "" where the rule's text says it."""


def answer(question: Question, evidence: Evidence | Lack, policy: Policy) -> Finding:
    """Judge the evidence. Where there are too few cases or clusters nothing is decided."""
    if isinstance(evidence, Lack):
        return lacking(question.rule, question.metric, evidence)
    if question.by_point:
        outcome, _ = question.judge(evidence.estimate, evidence.estimate)
        return _finding(question, evidence, outcome)
    if not is_enough(evidence):
        few = f"; nothing is decided on fewer than {ENOUGH_CLUSTERS} independent cases"
        return replace(
            _finding(question, evidence, "inconclusive", few),
            advice=f"Add cases: at least {ENOUGH_CLUSTERS} that do not share a cluster.",
        )
    low, high = evidence.bounds(policy.alpha)
    outcome, side = question.judge(low, high)
    alert = question.is_loss(low, high)
    shown = evidence.bounds((1 - CONFIDENCE) / 2)
    agrees = question.judge(*shown).outcome == outcome and question.is_loss(*shown) == alert
    sure = "" if agrees else _sure(low, high, side, policy)
    sure += "; certainly worse than the baseline" if alert and outcome == "pass" else ""
    finding = replace(_finding(question, evidence, outcome, sure), alert=alert)
    if outcome != "inconclusive":
        return finding
    return replace(finding, advice=_needed(question, evidence, policy))


def _sure(low: float, high: float, side: Literal["low", "high"], policy: Policy) -> str:
    """The one-sided bound that decided, where the interval beside it does not say so."""
    bound = f"least {number(low)}" if side == "low" else f"most {number(high)}"
    return f"; {percent(1 - policy.alpha)} sure of at {bound}"


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
    form = signed if question.is_difference else number
    interval = f"{percent(CONFIDENCE)} CI {form(low)} to {form(high)}"
    counted = seen(cases_of(evidence), evidence.n_clusters) if question.by_point else ""
    cases = counted or f", {cases_of(evidence)}"
    needs = NEEDS + question.needs if question.needs else ""
    return Finding(
        rule=question.rule,
        metric=question.metric,
        outcome=outcome,
        observed=f"{question.describe(evidence.estimate)}, {interval}{cases}{sure}{needs}",
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
    return count_cases(int(evidence.n), int(evidence.n_clusters))


def count_cases(n: int, n_clusters: int) -> str:
    """`135 cases in 42 clusters`; clusters of one case each are not told."""
    cases = f"{n} case{'s' * (n != 1)}"
    return cases if n_clusters == n else f"{cases} in {n_clusters} cluster{'s' * (n_clusters != 1)}"


def seen(cases: str, n_clusters: float) -> str:
    """The cases behind a number that decides by itself, with a warning where they are few."""
    return f"; seen, not proven: {cases}" if n_clusters < FEW_CLUSTERS else f", {cases}"


def number(value: float) -> str:
    """A number that was seen: three decimals, or three digits where these are more."""
    size = abs(value)
    if size >= 10:
        text = f"{size:.3g}" if size < 1000 else f"{size:,.0f}"
    else:
        text = f"{size:.3f}" if size >= 0.0005 or size < NOTHING else f"{size:.2g}"
    return f"{MINUS}{text}" if value <= -NOTHING else text


def signed(value: float) -> str:
    """A difference; one that is too small to count has no sign."""
    return f"+{number(value)}" if value >= NOTHING else number(value)


def limit(value: float) -> str:
    """A number that a rule gives: two decimals, or as many as it has."""
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.10g}"
    return text if float(text) == value else f"{value:.10g}"


def percent(share: float) -> str:
    """A share as `95 %`."""
    return f"{100 * share:.3g} %"


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
