"""Metrics and measurements of one evaluation, as plain numbers by name."""

import json
from collections.abc import Sequence
from statistics import fmean

from vcmp.types import Evaluation, Result

MEASUREMENTS = ("latency_s", "input_tokens", "output_tokens", "output_chars", "cost_usd")
CHARGED = ("latency_s", "cost_usd")
"""Measurements that mean nothing where answers were scripted."""


def measure(result: Result, measurement: str) -> float | None:
    """One measurement of one result; None when the agent failed or the number is unknown."""
    if result.error:
        return None
    match measurement:
        case "latency_s":
            return None if is_reused(result) else result.latency_s
        case "output_chars":
            return float(len(text_of(result.output)))
        case _:
            value = getattr(result.usage, measurement)
            return None if value is None else float(value)


def is_reused(result: Result) -> bool:
    """Whether a reply in it was given before: how long that took says nothing of a model."""
    return any(call.source != "live" for call in result.calls)


def text_of(output: object) -> str:
    """An output as the text a reader would see."""
    if isinstance(output, str):
        return output
    return "" if output is None else json.dumps(output, ensure_ascii=False, default=str)


def quantile(values: Sequence[float], q: float) -> float:
    """The `q` quantile, interpolated linearly between order statistics (type 7 of Hyndman and
    Fan, 1996, "Sample quantiles in statistical packages").

    Raises:
        IndexError: There are no values.
    """
    ordered = sorted(values)
    place = (len(ordered) - 1) * q
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def mean_by_case(evaluation: Evaluation, metric: str) -> dict[str, float]:
    """Mean over the repeats of each case that has at least one value, by case id."""
    values: dict[str, list[float]] = {}
    for result in evaluation.results:
        value = (
            measure(result, metric)
            if metric in MEASUREMENTS
            else float(bool(result.error))
            if metric == "error"
            else result.value(metric)
        )
        if value is not None:
            values.setdefault(result.case_id, []).append(value)
    return {case: fmean(numbers) for case, numbers in values.items()}


def summarize(evaluation: Evaluation) -> dict[str, float]:
    """All metrics of an evaluation, by their public names.

    `<scorer>/mean` (over cases, in [0, 1]); `error_rate` (over results); `latency_s/mean`, `/min`,
    `/max`, `/p50`, `/p95`, `/p99` (seconds); `input_tokens/mean`, `output_tokens/mean`,
    `output_chars/mean`; `input_tokens/total`, `output_tokens/total`, `cost_usd/total`. What is
    unknown is absent: cost when one call's price is unknown, latency of results with a recorded
    reply, and latency and cost when the answers were scripted.
    """
    metrics: dict[str, float] = {}
    for scorer in evaluation.scorers:
        means = mean_by_case(evaluation, scorer)
        if means:
            metrics[f"{scorer}/mean"] = fmean(means.values())
    if evaluation.results:
        metrics["error_rate"] = fmean(bool(r.error) for r in evaluation.results)
    if not evaluation.answerer.scripted:
        metrics |= _latency(evaluation)
    for name in ("input_tokens", "output_tokens", "output_chars"):
        numbers = _numbers(evaluation, name)
        if numbers:
            metrics[f"{name}/mean"] = fmean(numbers)
    return metrics | _totals(evaluation)


def _totals(evaluation: Evaluation) -> dict[str, float]:
    """Sums over all results, failed ones included: a crash after a paid call was paid for."""
    totals: dict[str, float] = {}
    paid = [result.usage for result in evaluation.results if result.calls]
    for name in ("input_tokens", "output_tokens", "cost_usd"):
        if name in CHARGED and evaluation.answerer.scripted:
            continue
        numbers = [getattr(usage, name) for usage in paid]
        if numbers and None not in numbers:
            totals[f"{name}/total"] = sum(numbers)
    return totals


def _latency(evaluation: Evaluation) -> dict[str, float]:
    seconds = _numbers(evaluation, "latency_s")
    if not seconds:
        return {}
    quantiles = {f"latency_s/p{p}": quantile(seconds, p / 100) for p in (50, 95, 99)}
    return {
        "latency_s/mean": fmean(seconds),
        "latency_s/min": min(seconds),
        "latency_s/max": max(seconds),
        **quantiles,
    }


def _numbers(evaluation: Evaluation, measurement: str) -> list[float]:
    values = (measure(result, measurement) for result in evaluation.results)
    return [value for value in values if value is not None]
