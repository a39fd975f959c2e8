"""The tables below the fold, as rows of Markdown cells; the first row is the head."""

from collections.abc import Sequence
from statistics import fmean

from vcmp.metrics import mean_by_case, summarize
from vcmp.reports.numbers import (
    LABELS,
    UNKNOWN,
    amount,
    bounds,
    excludes_zero,
    percent,
    score,
    signed,
    signed_amount,
)
from vcmp.reports.text import inline, prose
from vcmp.reports.words import (
    SIGNS,
    known_metrics,
    scorer_of,
    scripted_mark,
)
from vcmp.types import Comparison, Conclusion, Delta, Evaluation, Finding, Verdict

Table = tuple[tuple[str, ...], ...]

N_TAGS = 12


def findings(found: Sequence[Finding], judged_by: Evaluation) -> Table:
    """What each rule wanted and saw, and what to do about it."""
    head = ("rule", "observed", "outcome", "what to do")
    marks = (scripted_mark(judged_by, finding.metric) for finding in found)
    return (head, *map(_finding_row, found, marks))


def _finding_row(finding: Finding, mark: str) -> tuple[str, ...]:
    alert = ", but a loss is certain" if finding.alert and finding.outcome == "pass" else ""
    return (
        prose(finding.rule) + mark,
        prose(finding.observed),
        f"{SIGNS[finding.outcome]} {finding.outcome}{alert}",
        prose(finding.advice) if finding.advice else "",
    )


def all_deltas(comparison: Comparison, metrics: Sequence[str]) -> Table:
    """Every metric of a comparison, `metrics` first, then the measurements."""
    head = (
        "metric",
        "pairs",
        "scored / asked",
        "baseline",
        "candidate",
        "difference",
        "95 % interval",
        "better / worse / same",
    )
    known = known_metrics(comparison)
    names = [name for name in metrics if name in known]
    names += sorted(known.keys() - set(names))
    return (
        head,
        *(_delta_row(known[name], scripted_mark(comparison.candidate, name)) for name in names),
    )


def _delta_row(delta: Delta, mark: str) -> tuple[str, ...]:
    plain = delta.score or delta.metric == "error"
    form, change = (score, signed) if plain else (amount, signed_amount)
    difference = change(delta.difference)
    pairs = f"{delta.n}"
    if delta.n_clusters != delta.n:
        pairs += f" in {delta.n_clusters} clusters"
    sides = [f"{a} / {b}" for a, b in zip(delta.scored, delta.asked, strict=True)]
    return (
        (LABELS.get(delta.metric) or inline(delta.metric, 60)) + mark,
        pairs,
        sides[0] if sides[0] == sides[1] else ", ".join(sides),
        form(delta.baseline),
        form(delta.candidate),
        f"**{difference}**" if excludes_zero(delta.interval) else difference,
        bounds(delta.interval, is_score=plain),
        f"{delta.improved} / {delta.regressed} / {delta.same}",
    )


def ungated_losses(comparison: Comparison, verdict: Verdict) -> tuple[str, ...]:
    """Scores that certainly fell and that no rule names, so that no gate hides them."""
    named = {scorer_of(finding) for finding in verdict.findings}
    fell = (
        delta
        for name, delta in comparison.deltas.items()
        if delta.score and delta.interval.high < 0 and name not in named
    )
    return tuple(
        f"{inline(delta.metric, 60)}{scripted_mark(comparison.candidate, delta.metric)} "
        f"{signed(delta.difference)} ({bounds(delta.interval)})"
        for delta in sorted(fell, key=lambda delta: (delta.difference, delta.metric))
    )


def traces(evaluations: Sequence[Evaluation]) -> Table:
    """What the recorded answers of each version took: latency, tokens, length, failures."""
    head = (
        "version",
        "traces",
        "failed",
        "latency: mean, min–max",
        "p50 / p95 / p99, s",
        "input tokens",
        "output tokens",
        "output characters",
    )
    return (head, *map(_trace_row, evaluations))


def _trace_row(evaluation: Evaluation) -> tuple[str, ...]:
    summary = summarize(evaluation)
    spread, quantiles = UNKNOWN, UNKNOWN
    if "latency_s/mean" in summary:
        mean, low, high = (amount(summary[f"latency_s/{k}"]) for k in ("mean", "min", "max"))
        spread = f"{mean} s, {low}–{high}"
        quantiles = " / ".join(amount(summary[f"latency_s/p{p}"]) for p in (50, 95, 99))
        failed = sum(bool(result.error) for result in evaluation.results)
        quantiles += f", without {failed:,} failed" if failed else ""
    return (
        inline(evaluation.version.variant.name, 60),
        f"{len(evaluation.results):,}",
        percent(summary["error_rate"]) if evaluation.results else UNKNOWN,
        spread,
        quantiles,
        amount(summary.get("input_tokens/mean")),
        amount(summary.get("output_tokens/mean")),
        amount(summary.get("output_chars/mean")),
    )


def by_tag(conclusion: Conclusion, metric: str) -> Table:
    """The mean of `metric` over the cases of each tag, with the difference from the baseline.

    The largest tags only, and descriptive: so many small groups would show some difference by
    chance. Empty when no case has a tag.
    """
    means = [mean_by_case(evaluation, metric) for evaluation in conclusion.evaluations]
    tags: dict[str, list[str]] = {}
    for case in conclusion.evaluations[0].dataset.cases:
        for tag in case.tags:
            tags.setdefault(tag, []).append(case.id)
    largest = sorted(tags, key=lambda tag: (-len(tags[tag]), tag))[:N_TAGS]
    names = [inline(e.version.variant.name, 60) for e in conclusion.evaluations]
    rows = [
        (inline(tag, 60), str(len(ids)), *_means_of(ids, means, bool(conclusion.baseline)))
        for tag, ids in ((tag, tags[tag]) for tag in largest)
    ]
    return (("tag", "cases", *names), *rows) if rows else ()


def _means_of(
    case_ids: Sequence[str], means: Sequence[dict[str, float]], compared: bool
) -> list[str]:
    values = [[side[case_id] for case_id in case_ids if case_id in side] for side in means]
    cells = [score(fmean(numbers) if numbers else None) for numbers in values]
    if not compared or not values[0]:
        return cells
    for place, numbers in enumerate(values[1:], 1):
        if numbers:
            cells[place] += f" ({signed(fmean(numbers) - fmean(values[0]))})"
    return cells
