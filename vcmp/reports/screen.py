"""The conclusion on a terminal.

Names and texts from data never stand at the beginning of a line, where a CI system could take them
for one of its commands, and hold no control characters.
"""

from collections.abc import Sequence
from statistics import fmean

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from vcmp.metrics import mean_by_case
from vcmp.reports.numbers import MINUS, plural, signed
from vcmp.reports.text import one_line
from vcmp.reports.words import (
    answered_by,
    baseline_of,
    comparison_of,
    headline,
    is_decided,
    is_judged,
    metrics_of,
    scorer_of,
    scripted_mark,
)
from vcmp.types import Conclusion, Delta, Evaluation, Finding, Verdict

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "invalid": "bold yellow"}
N_METRICS = 4
"""Metrics on a version's line and under a comparison, besides those that a rule names."""
WIDTH = 40
"""Cells of a name."""


def screen(conclusion: Conclusion, console: Console) -> None:
    """Print who answered, one line for each version, each comparison, and the verdict."""
    for line in _lines(conclusion):
        console.print(line, soft_wrap=True, highlight=False)


def _lines(conclusion: Conclusion) -> list[Text]:
    lines = [Text(f"answered by: {_plain('; '.join(answered_by(conclusion)))}"), Text()]
    lines += _versions(conclusion)
    for verdict in conclusion.verdicts:
        lines += [Text(), *_comparison(conclusion, verdict)]
    notes = [Text(f"note: {_plain(note)}") for note in conclusion.notes]
    outcome = Text(conclusion.outcome, style=STYLES[conclusion.outcome])
    sentence = headline(conclusion, _plain)
    if is_decided(conclusion):
        return [*lines, Text(), *notes, Text.assemble(outcome, f": {sentence}")]
    return [*lines, Text(), *notes, Text(f"  {sentence}")]


def _versions(conclusion: Conclusion) -> list[Text]:
    metrics = metrics_of(conclusion)[:N_METRICS]
    rows = [_version(evaluation, metrics) for evaluation in conclusion.evaluations]
    return [Text(f"  {line}") for line in _aligned(rows)]


def _version(evaluation: Evaluation, metrics: Sequence[str]) -> list[str]:
    failed = sum(bool(result.error) for result in evaluation.results)
    missing = evaluation.n_asked - len(evaluation.results)
    cases = plural(len(evaluation.dataset.cases), "case")
    return [
        _name(evaluation.version.variant.name),
        f"{cases} × {evaluation.repeats}" if evaluation.repeats > 1 else cases,
        f"{len(evaluation.results) - failed} answered",
        f"{failed} failed" + (f", {missing} not run" if missing else ""),
        *(_mean(evaluation, metric) for metric in metrics),
    ]


def _mean(evaluation: Evaluation, metric: str) -> str:
    means = mean_by_case(evaluation, metric)
    scored = sum(result.value(metric) is not None for result in evaluation.results)
    shown = f"{fmean(means.values()):.3f}" if means else "-"
    missing = "" if scored == evaluation.n_asked else f" ({scored}/{evaluation.n_asked})"
    return f"{_name(metric)}{scripted_mark(evaluation, metric)} {shown}{missing}"


def _comparison(conclusion: Conclusion, verdict: Verdict) -> list[Text]:
    baseline = baseline_of(conclusion)
    against = f" against {_name(baseline.version.variant.name)}" if baseline else ""
    head = Text(f"  {_name(verdict.variant)}{against}")
    if is_judged(verdict):
        head += Text.assemble(": ", (verdict.outcome, STYLES[verdict.outcome]))
    deltas = _deltas(conclusion, verdict)
    lines = [head, *deltas]
    if verdict.findings:
        gap = [Text()] if deltas else []
        return lines + gap + _findings(verdict.findings, conclusion.evaluations[0])
    return [*lines, Text(f"    {_plain(verdict.reason)}")] if verdict.reason else lines


def _deltas(conclusion: Conclusion, verdict: Verdict) -> list[Text]:
    named = (e for e in conclusion.evaluations if e.version.name == verdict.candidate)
    comparison = next((c for e in named if (c := comparison_of(conclusion, e))), None)
    if not comparison:
        return []
    decisive = {scorer_of(finding) for finding in verdict.findings}
    every = [metric for metric in metrics_of(conclusion) if metric in comparison.deltas]
    shown = [m for n, m in enumerate(every) if n < N_METRICS or m in decisive]
    rows = [
        _delta(comparison.deltas[metric], scripted_mark(comparison.candidate, metric))
        for metric in shown
    ]
    lines = [Text(f"    {line}") for line in _aligned(rows)]
    more = len(every) - len(shown)
    return lines + ([Text(f"    {plural(more, 'more metric')} in the report")] if more else [])


def _delta(delta: Delta, mark: str) -> list[str]:
    return [
        _name(delta.metric) + mark,
        f"{delta.baseline:.3f} -> {delta.candidate:.3f}",
        signed(delta.difference).replace(MINUS, "-"),
        f"{delta.improved} better, {delta.regressed} worse",
    ]


def _findings(findings: Sequence[Finding], judged_by: Evaluation) -> list[Text]:
    rows = [
        [f.outcome, _plain(f.rule) + scripted_mark(judged_by, f.metric), _plain(f.observed)]
        for f in findings
    ]
    lines = []
    for finding, line in zip(findings, _aligned(rows), strict=True):
        text = Text(f"    {line}")
        text.stylize(STYLES[finding.outcome], 4, 4 + len(finding.outcome))
        lines.append(text)
        if finding.alert and finding.outcome == "pass":
            lines.append(Text("      a loss is certain, though the rule allows it", style="yellow"))
        if finding.advice and finding.outcome != "pass":
            lines.append(Text(f"      {_plain(finding.advice)}"))
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    n_columns = max(map(len, rows), default=0)
    widths = [max(cell_len(row[n]) for row in rows if n < len(row)) for n in range(n_columns)]
    return [
        "   ".join(cell + " " * (widths[n] - cell_len(cell)) for n, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _name(text: str) -> str:
    return one_line(text, WIDTH)


def _plain(text: str) -> str:
    """Text on one line, in characters that every terminal and log has."""
    return one_line(text, 400).replace(MINUS, "-").replace("→", "->")
