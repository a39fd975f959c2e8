"""`verdict.json`: the conclusion for programs. Keys are added, never renamed or removed, within one
`schema_version`; numbers are not rounded; what is unknown is null or absent, never 0."""

import json
from typing import Any

from vcmp.metrics import summarize
from vcmp.reports.words import (
    answered_by,
    baseline_of,
    comparison_of,
    is_decided,
    is_scripted,
    judge_of,
    known_metrics,
    verdict_of,
)
from vcmp.types import Conclusion, Delta, Evaluation, Finding, Interval

SCHEMA_VERSION = 1


def verdict(conclusion: Conclusion) -> dict[str, Any]:
    """The conclusion as JSON values.

    `verdict` is the outcome of the sweep; `ship` the variant to ship, null when none passed; `best`
    the candidate that came first, whether or not it passed; both are null when no rule was asked.
    `candidates` are best first; without a baseline they are all versions. A scorer's `judge` is
    null, "judge" or "scripted judge".
    """
    first = conclusion.evaluations[0]
    baseline = baseline_of(conclusion)
    ranked, decided = conclusion.comparisons, is_decided(conclusion)
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": conclusion.outcome,
        "ship": (conclusion.best or None) if decided else None,
        "best": ranked[0].candidate.version.variant.name if ranked and decided else None,
        "gate": conclusion.gate or None,
        "baseline": _version(baseline) if baseline else None,
        "baseline_note": conclusion.baseline_note,
        "candidates": [_candidate(conclusion, e) for e in _candidates(conclusion)],
        "dataset": {
            "name": first.dataset.name,
            "digest": first.dataset.digest,
            "n_cases": len(first.dataset.cases),
            "repeats": first.repeats,
        },
        "scorers": {
            name: {
                "digest": card.digest,
                "judge": judge_of(first, name) or None,
                "model": card.model,
            }
            for name, card in first.scorers.items()
        },
        "answered_by": answered_by(conclusion),
        "scripted": is_scripted(conclusion),
        "command": conclusion.command,
        "notes": list(conclusion.notes),
    }


def verdict_json(conclusion: Conclusion) -> str:
    """The text of `verdict.json`."""
    return json.dumps(verdict(conclusion), indent=2) + "\n"


def _candidates(conclusion: Conclusion) -> list[Evaluation]:
    """All but the baseline; those that were judged in the order of their verdicts."""
    places = {verdict.candidate: n for n, verdict in enumerate(conclusion.verdicts)}
    others = [e for e in conclusion.evaluations if e is not baseline_of(conclusion)]
    return sorted(others, key=lambda e: places.get(e.version.name, len(places)))


def _version(evaluation: Evaluation) -> dict[str, Any]:
    revision = evaluation.version.revision
    return {
        "variant": evaluation.version.variant.name,
        "version": evaluation.version.name,
        "commit": revision.commit if revision else None,
        "dirty": bool(revision and revision.dirty),
        "asked": evaluation.n_asked,
        "failed": sum(bool(result.error) for result in evaluation.results),
        "not_run": evaluation.n_asked - len(evaluation.results),
        "n_cases": len(evaluation.dataset.cases),
        "answered_by": evaluation.answerer.description or evaluation.answerer.name,
        "metrics": summarize(evaluation),
    }


def _candidate(conclusion: Conclusion, evaluation: Evaluation) -> dict[str, Any]:
    judged = verdict_of(conclusion, evaluation)
    comparison = comparison_of(conclusion, evaluation)
    known = known_metrics(comparison) if comparison else {}
    return {
        **_version(evaluation),
        "outcome": judged.outcome if judged else None,
        "reason": judged.reason if judged else "",
        "findings": [_finding(finding) for finding in judged.findings] if judged else [],
        "deltas": {metric: _delta(delta) for metric, delta in known.items()},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "metric": finding.metric,
        "outcome": finding.outcome,
        "observed": finding.observed,
        "estimate": finding.estimate,
        **_ends(finding.interval),
        "n": finding.n,
        "advice": finding.advice,
        "alert": finding.alert,
    }


def _ends(interval: Interval | None) -> dict[str, Any]:
    """The interval under the name of its confidence: `ci95`."""
    if interval is None:
        return {"ci95": None}
    return {f"ci{100 * interval.confidence:g}": [interval.low, interval.high]}


def _delta(delta: Delta) -> dict[str, Any]:
    return {
        "baseline": delta.baseline,
        "candidate": delta.candidate,
        "difference": delta.difference,
        **_ends(delta.interval),
        "n": delta.n,
        "n_clusters": delta.n_clusters,
        "improved": delta.improved,
        "regressed": delta.regressed,
        "same": delta.same,
        "scored": list(delta.scored),
        "asked": list(delta.asked),
    }
