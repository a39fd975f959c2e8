"""`verdict.json`: the conclusion for programs. Keys are added, never renamed or removed, within one
`schema_version`; numbers are not rounded; what is unknown is null or absent, never 0.

A finding's `alert` was a bool before it was null, "loss" or "critical"; what was false is null, so
a program that asks whether there is one needs no change.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from math import isfinite
from typing import Any

from vcmp.metrics import summarize
from vcmp.reports import facts
from vcmp.reports.facts import outcomes, sources
from vcmp.reports.lookups import (
    answered_by,
    baseline_of,
    comparison_of,
    counts_of,
    has_results,
    is_decided,
    is_scripted,
    judge_of,
    known_metrics,
    mean_of_pairs,
    measured_by,
    n_cases_of,
    shipped,
    verdict_of,
)
from vcmp.types import (
    Alert,
    Comparison,
    Conclusion,
    Delta,
    Evaluation,
    Finding,
    Interval,
    Loss,
    Slice,
    Verdict,
)

SCHEMA_VERSION = 1
ALERTS: tuple[Alert, ...] = ("", "loss", "critical")
"""The gravest last."""


def verdict(conclusion: Conclusion) -> dict[str, Any]:
    """The conclusion as JSON values.

    `verdict` is the outcome of the sweep; `ship` the variant to ship, null unless the sweep passed;
    `best` the candidate that came first, whether or not it passed; both are null when no rule was
    asked. `rollout` is the share of the users, in [0, 1], who should get the variant to ship first:
    0 where there is none. A candidate's own `outcome` and `rollout` are about it alone. `alert` is
    that of the variant to ship, else the gravest of all candidates: null, "loss" (certain, against
    the baseline), or "critical" (certainly beyond the margin).
    `alerts` are all losses of all candidates that screen and report tell, each with its `variant`,
    `metric` and `tag` (null: all cases), its `kind` ("critical", "loss", or "unwatched": its 95 %
    interval lies below 0 and no rule is about it), and the `rule` that found it, or null.
    `looks` are the planned ones; `look` is the one at which a candidate was decided, null when all
    cases were looked at once. `candidates` are best first; without a baseline they are all
    versions. `findings` are those of all candidates, each with its `variant`. A scorer's `judge` is
    null, "judge" or "scripted judge". Counts, commits and digests are null where scores came as a
    table.
    """
    baseline = baseline_of(conclusion)
    ranked, decided = conclusion.comparisons, is_decided(conclusion)
    ship = shipped(conclusion) or None
    rolled = [v for v in conclusion.verdicts if v.variant == ship]
    alerts = [v.alert for v in rolled or conclusion.verdicts]
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": conclusion.outcome,
        "ship": ship,
        "rollout": rolled[0].rollout if rolled else 0.0,
        "alert": max(alerts, key=ALERTS.index, default="") or None,
        "alerts": _of_each(conclusion, lambda judged: map(_loss, judged.losses)),
        "best": ranked[0].candidate.version.variant.name if ranked and decided else None,
        "gate": conclusion.gate or None,
        "looks": conclusion.looks,
        "stopped": conclusion.stopped or None,
        "baseline": _version(conclusion, baseline) if baseline else None,
        "baseline_note": conclusion.baseline_note,
        "anchors": list(conclusion.anchors),
        "candidates": [_candidate(conclusion, e) for e in _candidates(conclusion)],
        "findings": _of_each(conclusion, lambda judged: map(_finding, judged.findings)),
        "dataset": _dataset(conclusion),
        "scorers": _scorers(measured_by(conclusion)),
        "canaries": [
            {**asdict(canary), "void": canary.void} for canary in facts.canaries(conclusion)
        ],
        "agreement": dict(facts.agreements(conclusion)),
        "answered_by": answered_by(conclusion),
        "scripted": is_scripted(conclusion),
        "command": conclusion.command,
        "notes": list(conclusion.notes),
    }


def verdict_json(conclusion: Conclusion) -> str:
    """The text of `verdict.json`."""
    return json.dumps(verdict(conclusion), indent=2, allow_nan=False) + "\n"


def _of_each(
    conclusion: Conclusion, rows: Callable[[Verdict], Iterable[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """What all candidates have several of, each with its variant."""
    return [
        {"variant": judged.variant, **row} for judged in conclusion.verdicts for row in rows(judged)
    ]


def _scorers(evaluation: Evaluation) -> dict[str, Any]:
    return {
        name: {
            "digest": card.digest or None,
            "judge": judge_of(evaluation, name) or None,
            "model": card.model,
        }
        for name, card in evaluation.scorers.items()
    }


def _candidates(conclusion: Conclusion) -> list[Evaluation]:
    """All but the baseline; those that were judged in the order of their verdicts."""
    places = {verdict.candidate: n for n, verdict in enumerate(conclusion.verdicts)}
    others = [e for e in conclusion.evaluations if e is not baseline_of(conclusion)]
    return sorted(others, key=lambda e: places.get(e.version.name, len(places)))


def _dataset(conclusion: Conclusion) -> dict[str, Any]:
    first = conclusion.evaluations[0]
    return {
        "name": first.dataset.name,
        "digest": (conclusion.digest or first.dataset.digest) if has_results(first) else None,
        "n_cases": conclusion.n_cases or n_cases_of(conclusion, first),
        "repeats": first.repeats,
    }


def _version(conclusion: Conclusion, evaluation: Evaluation) -> dict[str, Any]:
    revision = evaluation.version.revision
    counts = counts_of(evaluation)
    return {
        "variant": evaluation.version.variant.name,
        "version": evaluation.version.name,
        "commit": revision.commit if revision else None,
        "dirty": bool(revision and revision.dirty),
        "asked": counts.asked if counts else None,
        "failed": counts.failed if counts else None,
        "not_run": counts.not_run if counts else None,
        "outcomes": dict(outcomes(evaluation)) if counts else None,
        "calls": dict(sources(evaluation)) if counts else None,
        "n_cases": n_cases_of(conclusion, evaluation),
        "answered_by": evaluation.answerer.description or evaluation.answerer.name,
        "metrics": summarize(evaluation) if counts else _means(conclusion, evaluation),
    }


def _means(conclusion: Conclusion, evaluation: Evaluation) -> dict[str, float]:
    """What the pairs tell of a version whose results are not at hand."""
    metrics = dict.fromkeys(metric for c in conclusion.comparisons for metric in c.deltas)
    means = {metric: mean_of_pairs(conclusion, evaluation, metric) for metric in metrics}
    return {
        "error_rate" if metric == "error" else f"{metric}/mean": mean
        for metric, mean in means.items()
        if mean is not None
    }


def _candidate(conclusion: Conclusion, evaluation: Evaluation) -> dict[str, Any]:
    judged = verdict_of(conclusion, evaluation)
    comparison = comparison_of(conclusion, evaluation)
    known = known_metrics(comparison) if comparison else {}
    return {
        **_version(conclusion, evaluation),
        "outcome": judged.outcome if judged else None,
        "rollout": judged.rollout if judged else None,
        "alert": (judged.alert or None) if judged else None,
        "look": (judged.look or None) if judged else None,
        "n_cases_used": judged.n_cases if judged else None,
        "reason": judged.reason if judged else "",
        "findings": [_finding(finding) for finding in judged.findings] if judged else [],
        "deltas": {metric: _delta(delta) for metric, delta in known.items()},
        "slices": _slices(comparison) if comparison else {},
        "swayed": dict(comparison.swayed) if comparison else {},
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
        "needed_cases": finding.needed_cases,
        "needed_repeats": finding.needed_repeats,
        "visible_loss": finding.visible_loss,
        "rollout": finding.rollout,
        "against": finding.against or None,
        "alert": finding.alert or None,
        "report_only": finding.report_only,
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "metric": loss.metric,
        "tag": loss.tag or None,
        "kind": loss.kind,
        "estimate": loss.estimate,
        **_ends(loss.interval),
        "observed": loss.observed,
        "rule": loss.rule or None,
        "against": loss.against or None,
    }


def _ends(interval: Interval | None) -> dict[str, Any]:
    """The interval under the name of its confidence: `ci95`."""
    if interval is None:
        return {"ci95": None}
    ends = (interval.low, interval.high)
    return {f"ci{100 * interval.confidence:g}": [end if isfinite(end) else None for end in ends]}


def _slices(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    return {metric: list(map(_slice, slices)) for metric, slices in comparison.slices.items()}


def _slice(part: Slice) -> dict[str, Any]:
    return {
        "tag": part.tag,
        "baseline": part.baseline,
        "candidate": part.candidate,
        "difference": part.difference,
        **_ends(part.interval),
        "n": part.n,
        "lost": part.lost,
    }


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
