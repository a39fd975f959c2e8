"""The tables below the fold, as rows of Markdown cells; the first row is the head."""

from collections.abc import Sequence
from statistics import fmean

from vcmp.metrics import mean_by_case, summarize
from vcmp.reports.lookups import known_metrics, scripted_mark
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
from vcmp.reports.words import SIGNS, said_by
from vcmp.types import Comparison, Conclusion, Delta, Evaluation, Finding, Slice

Table = tuple[tuple[str, ...], ...]

N_TAGS = 12


def findings(found: Sequence[Finding], judged_by: Evaluation) -> Table:
    """What each rule wanted and saw, and what to do about it."""
    head = ("rule", "observed", "outcome", "what to do")
    marks = (scripted_mark(judged_by, finding.metric) for finding in found)
    return (head, *map(_finding_row, found, marks))


def _finding_row(finding: Finding, mark: str) -> tuple[str, ...]:
    against = f", against {inline(finding.against)}" if finding.against else ""
    return (
        prose(finding.rule) + mark + against,
        prose(finding.observed),
        said_by(finding) if finding.report_only else f"{SIGNS[finding.outcome]} {finding.outcome}",
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


def traces(evaluations: Sequence[Evaluation]) -> Table:
    """What the recorded answers of each version took: latency, tokens, length, failures.

    Empty without a version.
    """
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
    return (head, *map(_trace_row, evaluations)) if evaluations else ()


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
    """The mean of `metric` over the cases of each tag, with the difference from the baseline, and
    below it each tag on which another score's loss stands out.

    The largest tags only. Empty when no case has a tag.
    """
    if conclusion.comparisons:
        return _slices(conclusion, metric)
    means = [mean_by_case(evaluation, metric) for evaluation in conclusion.evaluations]
    tags: dict[str, list[str]] = {}
    for case in conclusion.evaluations[0].dataset.cases:
        for tag in case.tags:
            tags.setdefault(tag, []).append(case.id)
    largest = sorted(tags, key=lambda tag: (-len(tags[tag]), tag))[:N_TAGS]
    names = [inline(e.version.variant.name, 60) for e in conclusion.evaluations]
    rows = [
        (inline(tag, 60), str(len(ids)), *(_mean_over(ids, side) for side in means))
        for tag, ids in ((tag, tags[tag]) for tag in largest)
    ]
    return (("tag", "cases", *names), *rows) if rows else ()


def n_standing_out(conclusion: Conclusion) -> int:
    """Losses on the cases of a tag that stand out, over all scores and candidates."""
    every = (slices for c in conclusion.comparisons for slices in c.slices.values())
    return sum(each.lost for slices in every for each in slices)


def _mean_over(case_ids: Sequence[str], means: dict[str, float]) -> str:
    values = [means[case_id] for case_id in case_ids if case_id in means]
    return score(fmean(values) if values else None)


def _slices(conclusion: Conclusion, metric: str) -> Table:
    """A row for each tag, a column for each candidate."""
    found = {
        (name, each.tag): each.n
        for comparison in conclusion.comparisons
        for name, slices in comparison.slices.items()
        for each in slices
        if name == metric or each.lost
    }
    if not found:
        return ()
    own = [key for key in found if key[0] == metric]
    largest = sorted(own, key=lambda key: (-found[key], key))[:N_TAGS]
    marked = [key for key in sorted(found) if _stands_out(conclusion, *key)]
    shown = [*largest, *(key for key in marked if key not in largest)]
    names = [inline(c.candidate.version.variant.name, 60) for c in conclusion.comparisons]
    head = ("tag", "pairs", *names)
    return (head, *(_slice_row(conclusion, name, tag, metric) for name, tag in shown))


def _stands_out(conclusion: Conclusion, metric: str, tag: str) -> bool:
    return any(each.lost for each in _all_slices(conclusion, metric, tag) if each)


def _all_slices(conclusion: Conclusion, metric: str, tag: str) -> list[Slice | None]:
    """The slice of each candidate, None where it has none."""
    sides = (comparison.slices.get(metric, ()) for comparison in conclusion.comparisons)
    return [next((each for each in slices if each.tag == tag), None) for slices in sides]


def _slice_row(conclusion: Conclusion, name: str, tag: str, metric: str) -> tuple[str, ...]:
    slices = _all_slices(conclusion, name, tag)
    known = [each for each in slices if each]
    mark = scripted_mark(conclusion.comparisons[0].candidate, name)
    of = "" if name == metric else f", {inline(name, 60)}{mark}"
    return (
        inline(tag, 60) + of,
        str(max(each.n for each in known)),
        *(_slice_cell(each) if each else UNKNOWN for each in slices),
    )


def _slice_cell(part: Slice) -> str:
    sides = f"{score(part.baseline)} → {score(part.candidate)}"
    shown = f"{sides} ({signed(part.difference)}: {bounds(part.interval)})"
    return f"{shown} ⚠️ stands out" if part.lost else shown
