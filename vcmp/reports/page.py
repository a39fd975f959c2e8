"""The page: everything a report shows, worked out; a template only arranges it.

Templates get it as `page`. What is too much for a comment is taken off here, whole parts in a
fixed order, so that a template needs no more than `{% if %}` round each part.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from vcmp.reports import diffs, flips, overview, tables
from vcmp.reports.facts import Coverage, Yardstick, coverage, yardsticks
from vcmp.reports.flips import Flip
from vcmp.reports.tables import Table
from vcmp.reports.text import inline
from vcmp.reports.words import (
    SIGNS,
    answered_by,
    baseline_of,
    comparison_of,
    decisive_metrics,
    headline,
    is_decided,
    is_judged,
    is_scripted,
    metrics_of,
    most_moved,
    scripted_mark,
)
from vcmp.types import Comparison, Conclusion, Outcome, Verdict

N_REGRESSIONS = 5
N_IMPROVEMENTS = 3
N_FINDINGS = 12

PARTS = {
    "by_tag": "results by tag",
    "traces": "trace analysis",
    "improvements": "improved cases",
    "changes": "what changed",
    "deltas": "table of all metrics",
    "regressions": "worst cases",
}
"""What may be left out, the first first, and how the report calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between the configurations of baseline and candidate."""

    settings: str
    """A difference, one parameter a line; "" when none differs."""
    texts: tuple[tuple[str, str], ...]
    """Name and difference of each prompt or other long parameter that differs."""
    commits: tuple[str, str] | None
    """Eight digits of each commit, when they differ."""

    def __bool__(self) -> bool:
        return bool(self.settings or self.texts or self.commits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate's part of the page."""

    variant: str
    version: str
    outcome: Outcome
    sign: str
    """"" when no rule was asked."""
    reason: str
    findings: Table
    """Those that did not pass first."""
    n_more_findings: int
    n_regressed: int = 0
    n_cut: int = 0
    """Of these, those cut at the token limit."""
    n_improved: int = 0
    regressions: tuple[Flip, ...] = ()
    improvements: tuple[Flip, ...] = ()
    losses: tuple[str, ...] = ()
    """Markdown; scores that certainly fell and that no rule names."""
    changes: Changes | None = None
    deltas: Table = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a template can show."""

    marker: str
    """Equal for two reports about the same project, dataset and gate; safe in an HTML comment."""
    outcome: Outcome
    sign: str
    """Stands beside the outcome's word; "" when nothing was judged."""
    headline: str
    """Markdown."""
    answered_by: tuple[str, ...]
    scripted: bool
    quiet: bool
    """Whether everything passed and no score of any case changed."""
    overview: Table
    n_hidden_metrics: int
    """Scorers that are not in the overview."""
    candidates: tuple[Candidate, ...]
    decisive: str
    """The metric that `by_tag` is about; "" when there is none."""
    decisive_mark: str
    by_tag: Table
    traces: Table
    coverage: tuple[Coverage, ...]
    yardsticks: tuple[Yardstick, ...]
    dataset: str
    digest: str
    n_cases: int
    repeats: int
    seed: int
    baseline: str
    """Variant name; "" when nothing was compared."""
    baseline_note: str
    gate: str
    command: str
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Parts that did not fit, in words."""


def compose(conclusion: Conclusion) -> Page:
    """Work out everything a report can show."""
    first = conclusion.evaluations[0]
    decisive = most_moved(conclusion)
    baseline = baseline_of(conclusion)
    return Page(
        marker=_marker(conclusion),
        outcome=conclusion.outcome,
        sign=SIGNS[conclusion.outcome] if is_decided(conclusion) else "",
        headline=headline(conclusion, inline),
        answered_by=tuple(answered_by(conclusion)),
        scripted=is_scripted(conclusion),
        quiet=_is_quiet(conclusion),
        overview=overview.overview(conclusion),
        n_hidden_metrics=len(metrics_of(conclusion)) - len(overview.shown_metrics(conclusion)),
        candidates=tuple(_candidate(conclusion, verdict) for verdict in conclusion.verdicts),
        decisive=decisive,
        decisive_mark=scripted_mark(first, decisive),
        by_tag=tables.by_tag(conclusion, decisive) if decisive else (),
        traces=tables.traces(conclusion.evaluations),
        coverage=tuple(map(coverage, conclusion.evaluations)),
        yardsticks=yardsticks(conclusion),
        dataset=first.dataset.name,
        digest=first.dataset.digest[:12],
        n_cases=len(first.dataset.cases),
        repeats=first.repeats,
        seed=first.seed,
        baseline=baseline.version.variant.name if baseline else "",
        baseline_note=conclusion.baseline_note,
        gate=conclusion.gate,
        command=conclusion.command,
        notes=conclusion.notes,
    )


def shorten(page: Page, n_parts: int) -> Page:
    """`page` without the first `n_parts` of the parts that may be left out."""
    taken = removable(page)[:n_parts]
    for part, place in taken:
        empty: Any = None if part == "changes" else ()
        if place is None:
            page = replace(page, **{part: empty})
        else:
            candidates = list(page.candidates)
            candidates[place] = replace(candidates[place], **{part: empty})
            page = replace(page, candidates=tuple(candidates))
    return replace(page, left_out=_in_words(page, taken))


def removable(page: Page) -> list[tuple[str, int | None]]:
    """The parts that may be left out, in that order: those of the last candidate come first."""
    found: list[tuple[str, int | None]] = []
    for part in PARTS:
        if hasattr(page, part):
            found += [(part, None)] if getattr(page, part) else []
        else:
            places = reversed(range(len(page.candidates)))
            found += [(part, n) for n in places if getattr(page.candidates[n], part)]
    return found


def _in_words(page: Page, taken: list[tuple[str, int | None]]) -> tuple[str, ...]:
    words = []
    for part, name in PARTS.items():
        places = [place for taken_part, place in taken if taken_part == part]
        several = len(page.candidates) > 1 and places not in ([], [None])
        of = f" ({len(places)} of {len(page.candidates)} candidates)" if several else ""
        words += [name + of] if places else []
    return tuple(words)


def _candidate(conclusion: Conclusion, verdict: Verdict) -> Candidate:
    findings = sorted(verdict.findings, key=lambda finding: finding.outcome == "pass")
    candidate = Candidate(
        variant=verdict.variant,
        version=verdict.candidate,
        outcome=verdict.outcome,
        sign=SIGNS[verdict.outcome] if is_judged(verdict) else "",
        reason=verdict.reason,
        findings=tables.findings(findings[:N_FINDINGS], conclusion.evaluations[0])
        if findings
        else (),
        n_more_findings=max(0, len(findings) - N_FINDINGS),
    )
    named = (e for e in conclusion.evaluations if e.version.name == verdict.candidate)
    comparisons = (comparison_of(conclusion, evaluation) for evaluation in named)
    comparison = next((c for c in comparisons if c), None)
    if not comparison:
        return candidate
    losses = tables.ungated_losses(comparison, verdict)
    return _compared(replace(candidate, losses=losses), comparison, conclusion)


def _compared(candidate: Candidate, comparison: Comparison, conclusion: Conclusion) -> Candidate:
    every, decisive = metrics_of(conclusion), decisive_metrics(conclusion)
    n_regressions = N_REGRESSIONS if len(conclusion.comparisons) == 1 else N_IMPROVEMENTS
    return replace(
        candidate,
        n_regressed=flips.count(comparison, decisive, sign=1),
        n_cut=flips.count_cut(comparison, decisive),
        n_improved=flips.count(comparison, decisive, sign=-1),
        regressions=flips.regressions(comparison, decisive, n_regressions),
        improvements=flips.improvements(comparison, decisive, N_IMPROVEMENTS),
        changes=_changes(comparison),
        deltas=tables.all_deltas(comparison, every),
    )


def _changes(comparison: Comparison) -> Changes:
    before, after = comparison.baseline.version, comparison.candidate.version
    params = before.variant.params, after.variant.params
    commits = None
    if before.revision and after.revision and before.revision.commit != after.revision.commit:
        commits = before.revision.commit[:8], after.revision.commit[:8]
    return Changes(settings=diffs.settings(*params), texts=diffs.texts(*params), commits=commits)


def _is_quiet(conclusion: Conclusion) -> bool:
    findings = [finding for verdict in conclusion.verdicts for finding in verdict.findings]
    errors = [result.error for e in conclusion.evaluations for result in e.results]
    deltas = [d for c in conclusion.comparisons for d in c.deltas.values() if d.score]
    return (
        bool(conclusion.comparisons)
        and is_decided(conclusion)
        and all(evaluation.complete for evaluation in conclusion.evaluations)
        and not any(errors)
        and not conclusion.notes
        and all(verdict.outcome == "pass" for verdict in conclusion.verdicts)
        and not any(finding.alert for finding in findings)
        and all(d.improved == d.regressed == 0 and d.scored == d.asked for d in deltas)
    )


def _marker(conclusion: Conclusion) -> str:
    first = conclusion.evaluations[0]
    parts = [first.version.app, first.dataset.name, conclusion.gate]
    return "/".join(re.sub("[^A-Za-z0-9_]+", "-", part[:60]) for part in parts if part)
