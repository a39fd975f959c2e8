"""A verdict explained so that one who knows no statistics acts rightly: the number that decided,
the next step, and what to beware of."""

from dataclasses import dataclass
from math import isclose

from vcmp.reports.lookups import (
    deciding,
    judged_in,
    measured_by,
    n_cases_of,
    scripted_mark,
    told,
)
from vcmp.reports.numbers import change, plural
from vcmp.reports.steps import next_step
from vcmp.reports.words import Voice
from vcmp.types import Comparison, Conclusion, Finding, Loss, Verdict

N_LOST = 5
"""Losses of a kind that are named; verdict.json has all of them."""


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
    inside = ", within the margin" if verdict.outcome == "pass" else ""
    how = {"critical": ", by more than the margin", "loss": inside}
    alerts = []
    for kind in ("critical", "loss", "unwatched"):
        found = [loss for loss in verdict.losses if loss.kind == kind]
        shown = [loss for loss in found if kind == "critical" or not _is_told(loss, known)]
        if lost := list(dict.fromkeys(_lost(loss, comparison, voice) for loss in shown)):
            more = f" and {len(lost) - N_LOST} more" if lost[N_LOST:] else ""
            where = f"worse than the baseline on {', '.join(lost[:N_LOST])}{more}"
            certain = f"certainly {where}{how.get(kind)}"
            unwatched = f"{where}, and no rule fails for it"
            alerts.append(unwatched if kind == "unwatched" else certain)
    return alerts


def _is_told(loss: Loss, known: Finding | None) -> bool:
    """Whether a finding's own text is about this loss."""
    if known is None:
        return False
    same = (loss.rule, loss.against, loss.metric) == (known.rule, known.against, known.metric)
    return same and loss.estimate == known.estimate


def _lost(loss: Loss, comparison: Comparison | None, voice: Voice) -> str:
    """The metric and its difference, or the rule where it looked at something else."""
    metric = "error" if loss.metric == "error_rate" else loss.metric.removesuffix("/mean")
    delta = comparison.deltas.get(metric) if comparison and not loss.against else None
    if comparison and delta and isclose(loss.estimate or 0.0, delta.difference, abs_tol=1e-9):
        return (
            f"{voice.name(metric)}{scripted_mark(comparison.candidate, metric)} ({change(delta)})"
        )
    against = f" against {voice.name(loss.against)}" if loss.against else ""
    return f"{voice.name(loss.rule)}{against} ({voice.sentence(loss.observed)})"
