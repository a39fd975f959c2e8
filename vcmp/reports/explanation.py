"""A verdict explained so that one who knows no statistics acts rightly: the number that decided,
the next step, and what to beware of."""

from dataclasses import dataclass
from math import isclose

from vcmp.reports.lookups import (
    deciding,
    judged_in,
    measured_by,
    n_cases_of,
    scorer_of,
    scripted_mark,
    told,
)
from vcmp.reports.numbers import change, plural
from vcmp.reports.steps import next_step
from vcmp.reports.words import Voice
from vcmp.types import Comparison, Conclusion, Delta, Finding, Verdict

N_UNWATCHED = 5
"""Scores named that fell and that no rule is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What stands beside the word of a verdict. Texts are in the voice that was asked for."""

    number: str
    """The finding that decided, with interval, cases and look."""
    look: str = ""
    """At which planned look; "" when all cases were looked at once."""
    step: str = ""
    """What to do next, without a full stop; "" where there is nothing to do."""
    command: str = ""
    """The command line of that step, as it is to be typed; "" when it has none."""
    remark: str = ""
    """What the step promises, and what the run could have seen; "" or sentences."""
    alerts: tuple[str, ...] = ()
    """Losses that the number above does not tell: certain ones, and those that no rule fails."""


def explain(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> Explanation:
    """Say why a candidate got its verdict and what to do about it."""
    step = next_step(conclusion, verdict, voice)
    return Explanation(
        number=_number(conclusion, verdict, voice),
        look=_look(conclusion, verdict),
        step=step.text,
        command=step.command,
        remark=step.remark,
        alerts=tuple(_alerts(conclusion, verdict, voice)),
    )


def _number(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> str:
    found, look = deciding(verdict), _look(conclusion, verdict)
    mark = scripted_mark(measured_by(conclusion), found.metric) if found else ""
    beside = mark + (f" ({look})" if look else "")
    said = voice.sentence(verdict.reason)
    end = "." if said.endswith(".") else ""
    return f"{said.removesuffix(end)}{beside}{end}" if beside else said


def _look(conclusion: Conclusion, verdict: Verdict) -> str:
    if not verdict.look:
        return ""
    asked = (n_cases_of(conclusion, evaluation) for evaluation in conclusion.evaluations)
    total = max(verdict.n_cases, conclusion.n_cases, *asked)
    of = f" of {total}" if total > verdict.n_cases else ""
    decided = "decided at look" if verdict.outcome in ("pass", "fail") else "look"
    cases = plural(verdict.n_cases, "case") if not of else f"{verdict.n_cases}{of} cases"
    return f"{decided} {verdict.look} of {conclusion.looks}, on {cases}"


def _alerts(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> list[str]:
    """Certain losses, the gravest first; not the one for which the candidate failed, unless it is
    critical."""
    known = told(verdict) if verdict.outcome == "fail" else None
    comparison = judged_in(conclusion, verdict)
    alerts: list[str] = []
    for kind in ("critical", "loss"):
        found = [f for f in verdict.findings if f.alert == kind]
        lost = [_lost(f, comparison, voice) for f in found if kind == "critical" or f is not known]
        if lost:
            where = ", ".join(dict.fromkeys(lost))
            how = ", by more than the margin" if kind == "critical" else ""
            inside = ", within the margin" if kind == "loss" and verdict.outcome == "pass" else ""
            alerts.append(f"certainly worse than the baseline on {where}{how}{inside}")
    unwatched = _unwatched(comparison, verdict, voice) if comparison else []
    if unwatched:
        where = ", ".join(unwatched)
        alerts.append(f"worse than the baseline on {where}, and no rule fails for it")
    return alerts


def _unwatched(comparison: Comparison, verdict: Verdict, voice: Voice) -> list[str]:
    """Scores that fell, by their intervals, and that no finding is about: no gate hides them."""
    named = {scorer_of(finding) for finding in verdict.findings}
    fell = (
        delta
        for name, delta in comparison.deltas.items()
        if delta.score and delta.interval.high < 0 and name not in named
    )
    ordered = sorted(fell, key=lambda delta: (delta.difference, delta.metric))
    return [_named_change(delta, comparison, voice) for delta in ordered[:N_UNWATCHED]]


def _named_change(delta: Delta, comparison: Comparison, voice: Voice) -> str:
    mark = scripted_mark(comparison.candidate, delta.metric)
    return f"{voice.name(delta.metric)}{mark} ({change(delta)})"


def _lost(finding: Finding, comparison: Comparison | None, voice: Voice) -> str:
    """The metric and its difference, or the rule where it looked at something else."""
    metric = "error" if finding.metric == "error_rate" else finding.metric.removesuffix("/mean")
    delta = comparison.deltas.get(metric) if comparison and not finding.against else None
    if comparison and delta and isclose(finding.estimate or 0.0, delta.difference, abs_tol=1e-9):
        return _named_change(delta, comparison, voice)
    seen = finding.observed.split(", ")[0]
    against = f" against {voice.name(finding.against)}" if finding.against else ""
    return f"{voice.name(finding.rule)}{against} ({voice.sentence(seen)})"
