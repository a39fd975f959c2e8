"""`junit.xml`: a variant is a test suite, a case a test case, and so is each rule of the gate.

Only a failed agent is an error and only an undecided or failed rule is a failure: a score below 1
breaks nothing by itself, so it is a property of its case.
"""

from collections.abc import Sequence
from statistics import fmean
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vcmp.display import visible
from vcmp.metrics import is_reused
from vcmp.reports.explanation import explain
from vcmp.reports.lookups import verdict_of
from vcmp.reports.numbers import plural
from vcmp.reports.text import cut
from vcmp.reports.words import Voice
from vcmp.types import Case, Conclusion, Evaluation, Finding, Result, Verdict

PLAIN = Voice(name=str, sentence=str)
ALERT = "alert: certainly worse than the baseline"
N_CHARACTERS = 2_000
"""Of an error or a rationale."""


def junit(conclusion: Conclusion) -> str:
    """All evaluations and rules as JUnit XML."""
    root = Element("testsuites", name="vcmp")
    for evaluation in conclusion.evaluations:
        root.append(_suite(conclusion, evaluation))
    _count(root, list(root.iter("testcase")))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _suite(conclusion: Conclusion, evaluation: Evaluation) -> Element:
    suite = Element("testsuite", name=_clean(evaluation.version.variant.name))
    properties = SubElement(suite, "properties")
    _property(properties, "version", evaluation.version.name)
    _property(
        properties, "answered by", evaluation.answerer.description or evaluation.answerer.name
    )
    results: dict[str, list[Result]] = {}
    for result in evaluation.results:
        results.setdefault(result.case_id, []).append(result)
    for case in evaluation.cases:
        suite.append(_case(evaluation, case, results.get(case.id, [])))
    verdict = verdict_of(conclusion, evaluation)
    if verdict:
        _add_verdict(properties, conclusion, verdict)
        suite.extend(_rule(evaluation, finding) for finding in verdict.findings)
    _count(suite, list(suite.iter("testcase")))
    return suite


def _case(evaluation: Evaluation, case: Case, results: Sequence[Result]) -> Element:
    """One test case for all repeats; an error when any of them failed."""
    element = _testcase(evaluation, case.id)
    if not results:
        SubElement(element, "skipped", message="not run")
        return element
    if not (evaluation.answerer.scripted or any(map(is_reused, results))):
        element.set("time", f"{sum(result.latency_s for result in results):.3f}")
    _add_scores(element, evaluation, results)
    errors = [result.error for result in results if result.error]
    if errors:
        message = f"{len(errors)} of {len(results)} repeats failed: " if len(results) > 1 else ""
        _add_outcome(element, "error", "agent", message + errors[0], "\n".join(errors))
    lines = [line for result in results for line in _said(result)]
    if lines:
        SubElement(element, "system-out").text = _clean("\n".join(lines))
    return element


def _add_scores(element: Element, evaluation: Evaluation, results: Sequence[Result]) -> None:
    """The mean of each score over the repeats; nothing for a score that was never given."""
    properties = SubElement(element, "properties")
    for scorer in evaluation.scorers:
        values = [value for result in results if (value := result.value(scorer)) is not None]
        if values:
            _property(properties, scorer, f"{fmean(values):.4g}")


def _said(result: Result) -> list[str]:
    lines = []
    for name, score in result.scores.items():
        if score.value is None:
            lines.append(f"{name}: unscored, {cut(score.error or 'no reason given', N_CHARACTERS)}")
        elif score.rationale:
            lines.append(f"{name}: {score.value:.4g}, {cut(score.rationale, N_CHARACTERS)}")
    return lines


def _add_verdict(properties: Element, conclusion: Conclusion, verdict: Verdict) -> None:
    """What to do, where a CI system shows the properties of a suite."""
    why = explain(conclusion, verdict, PLAIN)
    told = {
        "verdict": verdict.outcome,
        "rollout": f"{verdict.rollout:g}" if verdict.rollout else "",
        "alert": verdict.alert,
        "look": why.look,
        "next": f"{why.step}: {why.command}" if why.command else why.step,
    }
    for name, value in told.items():
        if value:
            _property(properties, name, value)


def _rule(evaluation: Evaluation, finding: Finding) -> Element:
    against = f", against {finding.against}" if finding.against else ""
    element = _testcase(evaluation, f"gate: {finding.rule}{against}")
    alert = {"": "", "loss": ALERT, "critical": f"{ALERT}, by more than the margin"}[finding.alert]
    text = "\n".join(part for part in (finding.observed, alert, finding.advice) if part)
    if finding.outcome == "pass" or finding.report_only:
        SubElement(element, "system-out").text = _clean(text)
    else:
        _add_outcome(element, "failure", finding.outcome, finding.observed + _needs(finding), text)
    return element


def _needs(finding: Finding) -> str:
    """What would decide, for the one line that a CI system shows."""
    cases = finding.needed_cases
    needed = (
        plural(cases, "case") if cases and cases > finding.n else "",
        plural(finding.needed_repeats, "repeat") if finding.needed_repeats else "",
    )
    options = " or ".join(option for option in needed if option)
    return f"; decides with {options}" if options else ""


def _testcase(evaluation: Evaluation, name: str) -> Element:
    suite = f"{evaluation.version.app}.{evaluation.version.variant.name}"
    return Element("testcase", classname=_clean(suite), name=_clean(name))


def _add_outcome(element: Element, tag: str, kind: str, message: str, text: str) -> None:
    short = _clean(cut(message, 200))
    SubElement(element, tag, type=kind, message=short).text = _clean(cut(text, N_CHARACTERS))


def _property(properties: Element, name: str, value: str) -> None:
    SubElement(properties, "property", name=_clean(name), value=_clean(value))


def _count(element: Element, cases: Sequence[Element]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _clean(text: str) -> str:
    """Text with control characters shown: XML cannot hold them, not even escaped."""
    return visible(text.replace("\r\n", "\n"), keep="\n\t")
