"""judge-check.json: all that a check of judges found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vcmp.agreement import Estimate, Seen
from vcmp.checking.asking import Checked, Inquest
from vcmp.checking.words import next_step, sentence
from vcmp.results import SCHEMA


def document_of(
    inquest: Inquest, checked: Sequence[Checked], failed: Mapping[str, str], command: str
) -> dict[str, Any]:
    """The check as JSON values.

    Args:
        failed: Errors of the agent, by case id.
    """
    plan = inquest.plan
    return {
        "schema": SCHEMA,
        "command": command,
        "dataset": {
            "name": plan.dataset.name,
            "digest": plan.dataset.digest,
            "n_cases": len(plan.dataset.cases),
            "n_labelled": len(inquest.labels.case_ids),
        },
        "answerer": asdict(plan.answerer),
        "version": plan.version.name if inquest.fresh else None,
        "answered_now": [case.id for case in inquest.fresh],
        "failed": dict(failed),
        "not_asked": dict(inquest.unasked),
        "judges": {each.name: _judge(each, scripted=plan.answerer.scripted) for each in checked},
    }


def _judge(checked: Checked, *, scripted: bool) -> dict[str, Any]:
    found, mean = checked.agreement, checked.means
    labelled = [seen for seen in checked.seen if seen.label is not None]
    return {
        **asdict(checked.card),
        "scripted": scripted,
        "n": found.n,
        "agreed": found.agreed,
        "unscored": found.unscored,
        "accuracy": _estimate(found.accuracy),
        "kappa": found.kappa,
        "strength": found.strength,
        "too_kind": found.too_kind,
        "too_strict": found.too_strict,
        "length_bias": _estimate(found.length_bias),
        "swayed": found.swayed,
        "mean": {
            "judged": _estimate(mean.judged),
            "labelled": _estimate(mean.labelled),
            "corrected": _estimate(mean.corrected),
        }
        if mean
        else None,
        "sentence": sentence(checked),
        "next": next_step(checked),
        "labelled": [_seen(seen) for seen in labelled],
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    ci95 = [found.interval.low, found.interval.high]
    return {"value": found.value, "ci95": ci95, "n": found.n}


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        "case_id": seen.case_id,
        "label": seen.label,
        "judge": seen.value,
        "rationale": seen.rationale,
        "error": seen.error,
    }
