"""The conclusion on a terminal.

Names and texts from data never stand at the beginning of a line, where a CI system could take them
for one of its commands, and hold no control characters.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from vcmp.reports.explanation import explain
from vcmp.reports.lookups import (
    answered_by,
    baseline_of,
    counts_of,
    coverage_of,
    has_results,
    is_decided,
    is_judged,
    judged_in,
    mean_of,
    measured_by,
    metrics_of,
    n_cases_of,
    scorer_of,
    scripted_mark,
    told,
)
from vcmp.reports.numbers import MINUS, plural, signed
from vcmp.reports.text import one_line
from vcmp.reports.words import Voice, headline, said_by
from vcmp.types import Conclusion, Delta, Evaluation, Finding, Verdict

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "invalid": "bold yellow"}
N_METRICS = 4
"""Metrics on a version's line and under a comparison, besides those that a rule names."""
WIDTH = 40
"""Cells of a name."""
COMMAND = 2_000
"""Characters of a command line."""


def screen(conclusion: Conclusion, console: Console) -> None:
    """Print who answered, one line for each version, each comparison, and last what to do: the
    verdict in a sentence, the number that decided, the next step."""
    for line in _lines(conclusion):
        console.print(line, soft_wrap=True, highlight=False)


def _lines(conclusion: Conclusion) -> list[Text]:
    recorded = any(map(has_results, conclusion.evaluations))
    source = "answered by" if recorded else "scores from"
    lines = [Text(f"{source}: {_plain('; '.join(answered_by(conclusion)))}"), Text()]
    lines += _versions(conclusion)
    for verdict in conclusion.verdicts:
        block = _comparison(conclusion, verdict)
        lines += [Text(), *block] if len(block) > 1 else []
    notes = [Text(f"note: {_plain(note)}") for note in conclusion.notes]
    outcome = Text(conclusion.outcome, style=STYLES[conclusion.outcome])
    sentence = headline(conclusion, _plain)
    if is_decided(conclusion):
        said = [line for verdict in conclusion.verdicts for line in _said(conclusion, verdict)]
        return [*lines, Text(), *notes, Text.assemble(outcome, f": {sentence}"), *said]
    return [*lines, Text(), *notes, Text(f"  {sentence}")]


def _versions(conclusion: Conclusion) -> list[Text]:
    metrics = metrics_of(conclusion)[:N_METRICS]
    rows = [_version(conclusion, evaluation, metrics) for evaluation in conclusion.evaluations]
    return [Text(f"  {line}") for line in _aligned(rows)]


def _version(conclusion: Conclusion, evaluation: Evaluation, metrics: Sequence[str]) -> list[str]:
    cases = plural(n_cases_of(conclusion, evaluation), "case")
    return [
        _name(evaluation.version.variant.name),
        f"{cases} × {evaluation.repeats}" if evaluation.repeats > 1 else cases,
        *_counts(evaluation),
        *(_mean(conclusion, evaluation, metric) for metric in metrics),
    ]


def _counts(evaluation: Evaluation) -> list[str]:
    counts = counts_of(evaluation)
    if counts is None:
        return []
    missing = f", {counts.not_run} not run" if counts.not_run else ""
    return [f"{counts.answered} answered", f"{counts.failed} failed{missing}"]


def _mean(conclusion: Conclusion, evaluation: Evaluation, metric: str) -> str:
    mean = mean_of(conclusion, evaluation, metric)
    scored, asked = coverage_of(conclusion, evaluation, metric) or (0, 0)
    missing = "" if scored == asked else f" ({scored}/{asked})"
    shown = "-" if mean is None else f"{mean:.3f}"
    mark = scripted_mark(measured_by(conclusion), metric)
    return f"{_name(metric)}{mark} {shown}{missing}"


def _comparison(conclusion: Conclusion, verdict: Verdict) -> list[Text]:
    """The metrics of a candidate and the rules that the verdict's own lines do not tell."""
    baseline = baseline_of(conclusion)
    against = f" against {_name(baseline.version.variant.name)}" if baseline else ""
    head = Text(f"  {_name(verdict.variant)}{against}")
    if is_judged(verdict):
        head += Text.assemble(": ", (verdict.outcome, STYLES[verdict.outcome]))
    lines = [head, *_deltas(conclusion, verdict)]
    others = [finding for finding in verdict.findings if finding is not told(verdict)]
    if others:
        gap = [Text()] if len(lines) > 1 else []
        return lines + gap + _findings(others, measured_by(conclusion))
    if verdict.reason and not is_decided(conclusion):
        lines.append(Text(f"    {_plain(verdict.reason)}"))
    return lines


def _said(conclusion: Conclusion, verdict: Verdict) -> list[Text]:
    """The number that decided, the next step with its command, and certain losses."""
    why = explain(conclusion, verdict, PLAIN)
    lines, pad = [], "  "
    if len(conclusion.verdicts) > 1:
        outcome = (verdict.outcome, STYLES[verdict.outcome])
        lines, pad = [Text.assemble(f"  {_name(verdict.variant)}: ", outcome)], "    "
    lines += [Text(f"{pad}{why.number}")] if why.number else []
    if why.step:
        lines.append(Text.assemble(pad, ("next", "bold"), f": {why.step}"))
    lines += [Text(f"{pad}      {_plain(why.command, COMMAND)}")] if why.command else []
    lines += [Text(f"{pad}      {why.remark}")] if why.remark else []
    return lines + [
        Text(f"{pad}alert: {_plain(alert)}", style="bold yellow") for alert in why.alerts
    ]


def _deltas(conclusion: Conclusion, verdict: Verdict) -> list[Text]:
    comparison = judged_in(conclusion, verdict)
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
        [said_by(f), _rule(f, judged_by) + scripted_mark(judged_by, f.metric), _plain(f.observed)]
        for f in findings
    ]
    lines = []
    for finding, line in zip(findings, _aligned(rows), strict=True):
        text = Text(f"    {line}")
        if not finding.report_only:
            text.stylize(STYLES[finding.outcome], 4, 4 + len(finding.outcome))
        lines.append(text)
        if finding.advice and finding.outcome != "pass":
            lines.append(Text(f"      {_plain(finding.advice)}"))
    return lines


def _rule(finding: Finding, judged_by: Evaluation) -> str:
    other = finding.against.removeprefix(f"{judged_by.version.app}-")
    against = f", against {_name(other)}" if other else ""
    return _plain(finding.rule) + against


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


def _plain(text: str, limit: int = 400) -> str:
    """Text on one line, in characters that every terminal and log has."""
    return one_line(text, limit).replace(MINUS, "-").replace("→", "->")


PLAIN = Voice(name=_plain, sentence=_plain)
