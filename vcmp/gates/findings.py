"""From evidence to a finding, in words that an engineer without statistics can act on."""

from dataclasses import replace
from typing import NamedTuple

from vcmp.gates.advice import advise
from vcmp.gates.evidence import Lack
from vcmp.gates.policy import Policy
from vcmp.gates.questions import Question, Side, Test
from vcmp.gates.words import FEW_CLUSTERS, cases_of, number, percent, seen, signed
from vcmp.statistics import ENOUGH_CASES, ENOUGH_CLUSTERS, Evidence
from vcmp.types import Alert, Finding, Interval, Outcome

CONFIDENCE = 0.95
NEEDS = "; needs "
"""Stands before the limit that a bound has to pass."""


class Decision(NamedTuple):
    """An outcome, and the bound that said it."""

    outcome: Outcome
    bound: str
    """The bound in words."""
    shown: bool
    """Whether the interval that is shown beside it says the same."""


def answer(question: Question, evidence: Evidence | Lack, policy: Policy) -> Finding:
    """Judge the evidence. Where there are too few cases or clusters nothing is decided."""
    if isinstance(evidence, Lack):
        return lacking(question.rule, question.metric, evidence)
    if question.by_point:
        proven = question.proves(evidence.estimate, evidence.estimate)
        outcome: Outcome = "pass" if proven else "fail"
        return _finding(question, evidence, "inconclusive" if policy.early else outcome)
    if not is_enough(evidence):
        few = f"; nothing is decided on fewer than {ENOUGH_CLUSTERS} independent cases"
        return replace(
            _finding(question, evidence, "inconclusive", few),
            advice=f"Add cases: at least {ENOUGH_CLUSTERS} that do not share a cluster.",
        )
    decision, alert = _decide(question, evidence, policy), _alert(question, evidence, policy)
    told = "" if decision.shown else decision.bound
    told += "; certainly worse than the baseline" if alert and decision.outcome == "pass" else ""
    few = "; few independent cases: take it with care"
    told += few if evidence.n_clusters < FEW_CLUSTERS else ""
    finding = replace(_finding(question, evidence, decision.outcome, told), alert=alert)
    if question.rollout:
        share = question.rollout(evidence, policy) if decision.outcome == "pass" else 0.0
        finding = replace(finding, rollout=share)
    return advise(finding, question, evidence, policy)


def _decide(question: Question, evidence: Evidence, policy: Policy) -> Decision:
    shown = evidence.bounds((1 - CONFIDENCE) / 2)
    tests: tuple[tuple[Outcome, Test, float], ...] = (
        ("pass", question.proves, policy.pass_level),
        ("fail", question.refutes, policy.fail_level),
    )
    for outcome, test, level in tests:
        bounds = evidence.bounds(level)
        side = test(*bounds)
        if side:
            return Decision(outcome, _sure(bounds, side, level), test(*shown) is not None)
    agrees = not any(test(*shown) for _, test, _ in tests)
    return Decision("inconclusive", _sure_low(evidence, question, policy), agrees)


def _alert(question: Question, evidence: Evidence, policy: Policy) -> Alert:
    bounds = evidence.bounds(policy.fail_level)
    if not question.is_loss(*bounds):
        return ""
    return "critical" if question.is_critical(*bounds) else "loss"


def _sure_low(evidence: Evidence, question: Question, policy: Policy) -> str:
    """The bound that would have had to pass, where the interval shown beside it does pass."""
    bounds = evidence.bounds(policy.pass_level)
    side = question.proves(*evidence.bounds((1 - CONFIDENCE) / 2))
    return _sure(bounds, side or "low", policy.pass_level)


def _sure(bounds: tuple[float, float], side: Side, level: float) -> str:
    low, high = bounds
    bound = f"least {number(low)}" if side == "low" else f"most {number(high)}"
    return f"; {percent(1 - level)} sure of at {bound}"


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


def _finding(question: Question, evidence: Evidence, outcome: Outcome, told: str = "") -> Finding:
    shown = interval_of(evidence)
    form = signed if question.is_difference else number
    interval = f"{percent(CONFIDENCE)} CI {form(shown.low)} to {form(shown.high)}"
    counted = seen(cases_of(evidence), evidence.n_clusters) if question.by_point else ""
    cases = counted or f", {cases_of(evidence)}"
    needs = NEEDS + question.needs if question.needs else ""
    return Finding(
        rule=question.rule,
        metric=question.metric,
        outcome=outcome,
        observed=f"{question.describe(evidence.estimate)}, {interval}{cases}{told}{needs}",
        advice=question.if_failed if outcome == "fail" else "",
        estimate=evidence.estimate,
        interval=shown,
        n=int(evidence.n),
    )


def interval_of(evidence: Evidence) -> Interval:
    """The interval that is shown beside an estimate."""
    low, high = evidence.bounds((1 - CONFIDENCE) / 2)
    return Interval(low=low, high=high, confidence=CONFIDENCE)
