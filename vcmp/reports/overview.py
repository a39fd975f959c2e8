"""The one table above the fold: versions beside each other, with what decides between them."""

from collections.abc import Sequence

from vcmp.metrics import summarize
from vcmp.reports.lookups import (
    baseline_of,
    comparison_of,
    counts_of,
    coverage_of,
    has_results,
    is_decided,
    is_judged,
    judge_of,
    mean_of,
    measured_by,
    metrics_of,
    n_cases_of,
    scorer_of,
    verdict_of,
)
from vcmp.reports.numbers import (
    UNKNOWN,
    amount,
    change,
    excludes_zero,
    plural,
    score,
)
from vcmp.reports.tables import Table
from vcmp.reports.text import inline
from vcmp.reports.words import SIGNS
from vcmp.types import Conclusion, Delta, Evaluation, Verdict, counted

N_ROWS = 8
"""Rows above the fold, so that a reviewer takes them in at a glance."""
N_COLUMNS = 4
"""Versions beside each other; more of them stand below each other."""


def overview(conclusion: Conclusion) -> Table:
    """Versions beside each other: verdict, the metrics that decide, failures, speed and cost."""
    evaluations = conclusion.evaluations
    columns = ["", *(_heading(conclusion, evaluation) for evaluation in evaluations)]
    verdicts = ["**Verdict**", *(_outcome(conclusion, e) for e in evaluations)]
    metrics = [
        [_label(conclusion, metric), *(_value(conclusion, e, metric) for e in evaluations)]
        for metric in shown_metrics(conclusion)
    ]
    head = [columns, verdicts] if is_decided(conclusion) else [columns]
    rows = [*head, *metrics, *_answers(conclusion)]
    if len(evaluations) > N_COLUMNS:
        rows = [list(row) for row in zip(*rows, strict=True)]
    return tuple(tuple(row) for row in rows)


def shown_metrics(conclusion: Conclusion) -> list[str]:
    """The metrics that the overview has rows for."""
    n_others = len(_answers(conclusion)) + is_decided(conclusion)
    return metrics_of(conclusion)[: N_ROWS - n_others]


def _heading(conclusion: Conclusion, evaluation: Evaluation) -> str:
    about = ["baseline"] if evaluation is baseline_of(conclusion) else []
    revision = evaluation.version.revision
    if revision:
        about.append(inline(revision.commit[:8]) + (" dirty" if revision.dirty else ""))
    elif has_results(evaluation):
        about.append("outside git")
    name = inline(evaluation.version.variant.name, 60)
    return f"{name} ({', '.join(about)})" if about else name


def _outcome(conclusion: Conclusion, evaluation: Evaluation) -> str:
    verdict = verdict_of(conclusion, evaluation)
    if not verdict or not is_judged(verdict):
        return "–"
    return f"{SIGNS[verdict.outcome]} **{verdict.outcome}**{_alert(verdict)}"


def _alert(verdict: Verdict) -> str:
    """What the outcome does not say by itself: that a failure is one goes without saying."""
    if verdict.alert == "critical":
        return ", ⚠️ critical loss"
    return ", ⚠️ certain loss" if verdict.alert and verdict.outcome != "fail" else ""


def _label(conclusion: Conclusion, metric: str) -> str:
    judge = judge_of(measured_by(conclusion), metric)
    return f"{inline(metric, 60)} ({judge})" if judge else inline(metric, 60)


def _value(conclusion: Conclusion, evaluation: Evaluation, metric: str) -> str:
    """A metric's mean, its difference from the baseline and what a rule said about it."""
    parts = [score(mean_of(conclusion, evaluation, metric))]
    comparison = comparison_of(conclusion, evaluation)
    if comparison and metric in comparison.deltas:
        n = comparison.n_cases
        fewer = f" on {plural(n, 'case')}" if n < n_cases_of(conclusion, evaluation) else ""
        parts.append(f"({_difference(comparison.deltas[metric])}{fewer})")
    scored, asked = coverage_of(conclusion, evaluation, metric) or (0, 0)
    if scored < asked:
        parts.append(f"{scored} of {asked} scored")
    verdict = verdict_of(conclusion, evaluation)
    findings = counted(verdict.findings) if verdict else []
    outcomes = {finding.outcome for finding in findings if scorer_of(finding) == metric}
    for outcome in ("fail", "invalid", "inconclusive"):
        if outcome in outcomes:
            return " ".join([*parts, SIGNS[outcome], outcome])
    return " ".join(parts)


def _difference(delta: Delta) -> str:
    """Bold when its sign is certain."""
    shown = change(delta)
    return f"**{shown}**" if excludes_zero(delta.interval) else shown


def _answers(conclusion: Conclusion) -> list[list[str]]:
    """Failures, speed and cost; nothing where only scores are known."""
    if not any(map(has_results, conclusion.evaluations)):
        return []
    errors = ["Failed / asked", *(_failures(evaluation) for evaluation in conclusion.evaluations)]
    return [errors, *_running_costs(conclusion)]


def _failures(evaluation: Evaluation) -> str:
    counts = counts_of(evaluation)
    if counts is None:
        return UNKNOWN
    shown = f"{counts.failed} / {counts.asked}"
    return f"{shown}, {counts.not_run} not run" if counts.not_run else shown


def _running_costs(conclusion: Conclusion) -> list[list[str]]:
    """Speed, tokens and cost. What is unknown for all versions shares a row."""
    summaries = [summarize(evaluation) for evaluation in conclusion.evaluations]
    latency = ["Latency p50 / p95, s", *map(_latency, summaries)]
    tokens = ["Output tokens, mean", *_measured(conclusion, summaries, "output_tokens")]
    cost = ["Cost of 100 answers, USD", *_measured(conclusion, summaries, "cost_usd")]
    if {*latency[1:], *cost[1:]} == {UNKNOWN}:
        return [tokens, ["Latency, cost", *latency[1:]]]
    return [latency, tokens, cost]


def _latency(summary: dict[str, float]) -> str:
    if "latency_s/p50" not in summary:
        return UNKNOWN
    return f"{amount(summary['latency_s/p50'])} / {amount(summary['latency_s/p95'])}"


def _measured(
    conclusion: Conclusion, summaries: Sequence[dict[str, float]], metric: str
) -> list[str]:
    cells = []
    for evaluation, summary in zip(conclusion.evaluations, summaries, strict=True):
        value = summary.get(f"{metric}/mean")
        if metric == "cost_usd" and "cost_usd/total" in summary:
            value = 100 * summary["cost_usd/total"] / len(evaluation.results)
        comparison = comparison_of(conclusion, evaluation)
        delta = comparison.deltas.get(metric) if comparison and value is not None else None
        cells.append(amount(value) + (f" ({_difference(delta)})" if delta else ""))
    return cells
