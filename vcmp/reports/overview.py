"""The one table above the fold: versions beside each other, with what decides between them."""

from collections.abc import Sequence
from statistics import fmean

from vcmp.metrics import mean_by_case, summarize
from vcmp.reports.numbers import (
    UNKNOWN,
    amount,
    excludes_zero,
    ratio,
    score,
    signed,
    signed_amount,
)
from vcmp.reports.tables import Table
from vcmp.reports.text import inline
from vcmp.reports.words import (
    SIGNS,
    baseline_of,
    comparison_of,
    is_decided,
    is_judged,
    judge_of,
    metrics_of,
    scorer_of,
    verdict_of,
)
from vcmp.types import Conclusion, Delta, Evaluation

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
    errors = ["Failed / asked", *(_failures(evaluation) for evaluation in evaluations)]
    head = [columns, verdicts] if is_decided(conclusion) else [columns]
    rows = [*head, *metrics, errors, *_running_costs(conclusion)]
    if len(evaluations) > N_COLUMNS:
        rows = [list(row) for row in zip(*rows, strict=True)]
    return tuple(tuple(row) for row in rows)


def shown_metrics(conclusion: Conclusion) -> list[str]:
    """The metrics that the overview has rows for."""
    n_others = 1 + len(_running_costs(conclusion)) + is_decided(conclusion)
    return metrics_of(conclusion)[: N_ROWS - n_others]


def _heading(conclusion: Conclusion, evaluation: Evaluation) -> str:
    role = "baseline, " if evaluation is baseline_of(conclusion) else ""
    revision = evaluation.version.revision
    where = inline(revision.commit[:8]) if revision else "outside git"
    dirty = " dirty" if revision and revision.dirty else ""
    return f"{inline(evaluation.version.variant.name, 60)} ({role}{where}{dirty})"


def _outcome(conclusion: Conclusion, evaluation: Evaluation) -> str:
    verdict = verdict_of(conclusion, evaluation)
    if not verdict or not is_judged(verdict):
        return "–"
    return f"{SIGNS[verdict.outcome]} **{verdict.outcome}**"


def _label(conclusion: Conclusion, metric: str) -> str:
    judge = judge_of(conclusion.evaluations[0], metric)
    return f"{inline(metric, 60)} ({judge})" if judge else inline(metric, 60)


def _value(conclusion: Conclusion, evaluation: Evaluation, metric: str) -> str:
    """A metric's mean, its difference from the baseline and what a rule said about it."""
    means = mean_by_case(evaluation, metric)
    parts = [score(fmean(means.values()) if means else None)]
    comparison = comparison_of(conclusion, evaluation)
    if comparison and metric in comparison.deltas:
        parts.append(f"({_difference(comparison.deltas[metric])})")
    scored = sum(result.value(metric) is not None for result in evaluation.results)
    if scored < evaluation.n_asked:
        parts.append(f"{scored} of {evaluation.n_asked} scored")
    verdict = verdict_of(conclusion, evaluation)
    outcomes = {f.outcome for f in verdict.findings if scorer_of(f) == metric} if verdict else ()
    for outcome in ("fail", "invalid", "inconclusive"):
        if outcome in outcomes:
            return " ".join([*parts, SIGNS[outcome], outcome])
    return " ".join(parts)


def _difference(delta: Delta) -> str:
    """In points for scores, in percent for measurements; bold when its sign is certain."""
    shown = signed(delta.difference)
    if not delta.score:
        shown = ratio(delta.difference, delta.baseline) or signed_amount(delta.difference)
    return f"**{shown}**" if excludes_zero(delta.interval) else shown


def _failures(evaluation: Evaluation) -> str:
    failed = sum(bool(result.error) for result in evaluation.results)
    missing = evaluation.n_asked - len(evaluation.results)
    shown = f"{failed} / {evaluation.n_asked}"
    return f"{shown}, {missing} not run" if missing else shown


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
