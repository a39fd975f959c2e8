"""What would settle a question that the evidence left open."""

import math
from dataclasses import replace

from vcmp.gates.policy import Policy
from vcmp.gates.questions import Question
from vcmp.gates.words import number, percent
from vcmp.statistics import Change, Evidence, needed_cases, visible_loss
from vcmp.types import Finding

POWER = 0.8
MOST_REPEATS = 50
"""More are no advice."""
STUCK = "More cases will not decide this: the truth seems to lie on the limit itself."


def advise(finding: Finding, question: Question, evidence: Evidence, policy: Policy) -> Finding:
    """Add what would decide, where nothing is decided, and what loss would have been seen."""
    visible = (
        visible_loss(evidence, policy.fail_level, POWER)
        if question.is_difference and isinstance(evidence, Change)
        else None
    )
    finding = replace(finding, visible_loss=visible)
    if finding.outcome != "inconclusive":
        return finding
    return _settle(finding, question, evidence, policy)


def _settle(finding: Finding, question: Question, evidence: Evidence, policy: Policy) -> Finding:
    """Say how many cases would decide: if nothing changed, or where that is not what is asked, if
    it goes on like this."""
    level = policy.pass_level
    unchanged = evidence.unchanged() if isinstance(evidence, Change) else evidence
    needed = needed_cases(unchanged, lambda *bounds: bool(question.proves(*bounds)), level, POWER)
    if unchanged is evidence or needed is None:
        return _go_on(finding, question, evidence, policy)
    repeats = _needed_repeats(question, needed / evidence.n)
    finding = replace(finding, needed_cases=needed, needed_repeats=repeats, if_unchanged=True)
    if needed <= evidence.n:
        likely = (
            f"{needed:,} cases decide with a chance of {percent(POWER)} if nothing changed, and "
            f"these are {evidence.n:,.0f}, so a small loss is likely. "
            "Read the cases that got worse"
        )
        more = _go_on(finding, question, evidence, policy).needed_cases
        also = f", or evaluate about {more:,} cases, if it goes on like this." if more else "."
        return replace(finding, advice=likely + also)
    either = f"About {needed:,} cases" + (f", or {repeats} repeats of these," if repeats else "")
    shown = (
        f" These {evidence.n:.0f} would show a loss of {number(finding.visible_loss)} or more."
        if finding.visible_loss
        else ""
    )
    return replace(
        finding,
        advice=f"{either} would decide, with a chance of {percent(POWER)}, if nothing changed."
        + shown,
    )


def _go_on(finding: Finding, question: Question, evidence: Evidence, policy: Policy) -> Finding:
    """The cases that would decide if they go on as they did."""

    def decided(low: float, high: float) -> bool:
        return bool(question.proves(low, high) or question.refutes(low, high))

    needed = needed_cases(evidence, decided, min(policy.pass_level, policy.fail_level), POWER)
    advice = STUCK
    if needed is not None:
        advice = (
            f"About {needed:,} cases would decide, with a chance of {percent(POWER)}, "
            "if it goes on like this."
        )
    return replace(finding, needed_cases=needed, advice=advice)


def _needed_repeats(question: Question, factor: float) -> int | None:
    """Repeats that lessen the variance as much as `factor` times the cases would.

    With a share w of the variance from r repeats, r' of them leave 1 - w + w r / r' of it.
    """
    if question.noise is None or factor <= 1:
        return None
    left = 1 / factor - (1 - question.noise)
    if left <= 0:
        return None
    repeats = math.ceil(question.noise * question.repeats / left)
    return repeats if repeats <= MOST_REPEATS else None
