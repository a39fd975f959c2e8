"""The page: everything a report shows, worked out; a template only arranges it.

Templates get it as `page`.
"""

import re
from dataclasses import dataclass, replace

from vcmp.reports import diffs, facts, flips, overview, tables
from vcmp.reports.explanation import Explanation, explain
from vcmp.reports.facts import Coverage, Yardstick, coverage, yardsticks
from vcmp.reports.flips import Flip
from vcmp.reports.lookups import (
    answered_by,
    baseline_of,
    decisive_metrics,
    has_results,
    is_decided,
    is_judged,
    is_scripted,
    judged_in,
    measured_by,
    metrics_of,
    most_moved,
    n_cases_of,
    scripted_mark,
    told,
)
from vcmp.reports.tables import Table
from vcmp.reports.text import inline, prose
from vcmp.reports.words import SIGNS, Voice, headline
from vcmp.types import Canary, Comparison, Conclusion, Outcome, Verdict

MARKDOWN = Voice(name=inline, sentence=prose)
N_REGRESSIONS = 5
N_IMPROVEMENTS = 3
N_FINDINGS = 12


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
    why: Explanation
    """In Markdown."""
    findings: Table
    """Those that `why` does not tell; those that did not pass first."""
    is_told: bool
    """Whether `why` tells one of the findings."""
    all_hold: bool
    """Whether all of `findings` passed."""
    n_more_findings: int
    n_regressed: int = 0
    n_cut: int = 0
    """Of these, those cut at the token limit."""
    n_improved: int = 0
    regressions: tuple[Flip, ...] = ()
    improvements: tuple[Flip, ...] = ()
    changes: Changes | None = None
    """None where the configurations are not at hand."""
    deltas: Table = ()
    swayed: tuple[tuple[str, float], ...] = ()
    """Pairwise judges, and the share of their judgements that the order of the answers decided."""


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
    n_standing_out: int
    """Losses that stand out among the tags."""
    traces: Table
    versions: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    """Of the versions whose results are at hand."""
    yardsticks: tuple[Yardstick, ...]
    dataset: str
    digest: str
    """"" where the cases are not at hand."""
    n_cases: int
    repeats: int
    seed: int
    baseline: str
    """Variant name; "" when nothing was compared."""
    baseline_note: str
    gate: str
    command: str
    canaries: tuple[Canary, ...]
    """What each judge made of a known-bad answer."""
    agreements: tuple[tuple[str, float], ...]
    """Judges that were asked several times, and the share of their votes that agree."""
    judge_mark: str
    """Stands beside numbers of judges when rules answered in a model's place."""
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
        decisive_mark=scripted_mark(measured_by(conclusion), decisive),
        by_tag=tables.by_tag(conclusion, decisive) if decisive else (),
        n_standing_out=tables.n_standing_out(conclusion),
        traces=tables.traces([e for e in conclusion.evaluations if has_results(e)]),
        versions=tuple(evaluation.version.name for evaluation in conclusion.evaluations),
        coverage=tuple(filter(None, map(coverage, conclusion.evaluations))),
        yardsticks=yardsticks(conclusion),
        dataset=first.dataset.name,
        digest=(conclusion.digest or first.dataset.digest)[:12] if has_results(first) else "",
        n_cases=n_cases_of(conclusion, first),
        repeats=first.repeats,
        seed=first.seed,
        baseline=baseline.version.variant.name if baseline else "",
        baseline_note=conclusion.baseline_note,
        gate=conclusion.gate,
        command=conclusion.command,
        canaries=facts.canaries(conclusion),
        agreements=facts.agreements(conclusion),
        judge_mark=" (scripted judge)" if is_scripted(conclusion) else "",
        notes=conclusion.notes,
    )


def _candidate(conclusion: Conclusion, verdict: Verdict) -> Candidate:
    known = told(verdict)
    others = [finding for finding in verdict.findings if finding is not known]
    others.sort(key=lambda finding: finding.outcome == "pass")
    shown = others[:N_FINDINGS]
    candidate = Candidate(
        variant=verdict.variant,
        version=verdict.candidate,
        outcome=verdict.outcome,
        sign=SIGNS[verdict.outcome] if is_judged(verdict) else "",
        why=explain(conclusion, verdict, MARKDOWN),
        findings=tables.findings(shown, measured_by(conclusion)) if shown else (),
        is_told=known is not None,
        all_hold=all(finding.outcome == "pass" or finding.report_only for finding in others),
        n_more_findings=len(others) - len(shown),
    )
    comparison = judged_in(conclusion, verdict)
    if not comparison:
        return candidate
    return _compared(candidate, comparison, conclusion)


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
        changes=_changes(comparison) if has_results(comparison.candidate) else None,
        deltas=tables.all_deltas(comparison, every),
        swayed=tuple(sorted(comparison.swayed.items())),
    )


def _changes(comparison: Comparison) -> Changes:
    before, after = comparison.baseline.version, comparison.candidate.version
    params = before.variant.params, after.variant.params
    commits = None
    if before.revision and after.revision and before.revision.commit != after.revision.commit:
        commits = before.revision.commit[:8], after.revision.commit[:8]
    return Changes(settings=diffs.settings(*params), texts=diffs.texts(*params), commits=commits)


def _is_quiet(conclusion: Conclusion) -> bool:
    errors = [result.error for e in conclusion.evaluations for result in e.results]
    deltas = [d for c in conclusion.comparisons for d in c.deltas.values() if d.score]
    return (
        bool(conclusion.comparisons)
        and is_decided(conclusion)
        and all(evaluation.complete for evaluation in conclusion.evaluations)
        and not any(errors)
        and not conclusion.notes
        and all(verdict.outcome == "pass" for verdict in conclusion.verdicts)
        and not any(verdict.losses for verdict in conclusion.verdicts)
        and all(d.improved == d.regressed == 0 and d.scored == d.asked for d in deltas)
    )


def _marker(conclusion: Conclusion) -> str:
    first = conclusion.evaluations[0]
    parts = [first.version.app, first.dataset.name, conclusion.gate]
    return "/".join(re.sub("[^A-Za-z0-9_]+", "-", part[:60]) for part in parts if part)
