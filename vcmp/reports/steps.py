"""The next step after a verdict."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from vcmp.reports import flips
from vcmp.reports.lookups import deciding, judged_in, n_cases_of, shipped
from vcmp.reports.numbers import amount, plural, score, share
from vcmp.reports.words import Voice
from vcmp.types import Conclusion, Finding, Verdict, counted

N_NAMED = 3
"""Cases named to be read first, and rules that no number of cases would settle."""


class Step(NamedTuple):
    """What to do, the command that does it, and what it promises; "" where there is none."""

    text: str = ""
    command: str = ""
    remark: str = ""


def next_step(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> Step:
    """Users for what passed, cases to read for what failed, evidence for what is open, and what to
    mend where nothing can be judged."""
    match verdict.outcome:
        case "pass":
            return Step(_start(conclusion, verdict))
        case "fail":
            return Step(_read(conclusion, verdict, voice))
        case "inconclusive":
            return _gather(conclusion, verdict, voice)
        case "invalid":
            return Step(_advice(verdict, voice))


def _start(conclusion: Conclusion, verdict: Verdict) -> str:
    """How many users get it first; only one candidate can be shipped, and where every one has to
    pass none is unless all do."""
    if not verdict.rollout or not conclusion.baseline or conclusion.best != verdict.variant:
        return ""
    if not shipped(conclusion):
        return (
            "nothing ships unless every candidate passes; to have the best one chosen set "
            "select: best_passing in the gate"
        )
    if verdict.rollout == 1:
        return "give it to all users"
    return f"start with {share(verdict.rollout)} of the users"


def _read(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> str:
    """The cases that show why it failed, the worst first."""
    finding = deciding(verdict)
    if finding is None:
        return ""
    metric = "error" if finding.metric == "error_rate" else finding.metric.partition("/")[0]
    comparison = judged_in(conclusion, verdict)
    lost = flips.worst(comparison, metric) if comparison and not finding.against else []
    if metric == "error":
        failed = _failed(conclusion, verdict) or lost
        return f"read the errors of {_named(failed, voice)}" if failed else _advice(verdict, voice)
    if not lost or comparison is None:
        return _advice(verdict, voice)
    if not comparison.pairs[metric].score:
        return f"look at the cases where {voice.name(metric)} grew most: {_named(lost, voice)}"
    cases = f"the {len(lost)} cases" if len(lost) > 1 else "the case"
    return f"read {cases} that got worse in {voice.name(metric)}: {_named(lost, voice)}"


def _failed(conclusion: Conclusion, verdict: Verdict) -> list[str]:
    results = (
        result
        for evaluation in conclusion.evaluations
        if evaluation.version.name == verdict.candidate
        for result in evaluation.results
    )
    return list(dict.fromkeys(result.case_id for result in results if result.error))


def _named(case_ids: Sequence[str], voice: Voice) -> str:
    first = ", ".join(map(voice.name, case_ids[:N_NAMED]))
    more = len(case_ids) - N_NAMED
    return f"{first} and {more:,} more" if more > 0 else first


def _advice(verdict: Verdict, voice: Voice) -> str:
    """What the gate itself advises, to stand behind "Next: "."""
    finding = deciding(verdict)
    return _mended([finding], verdict, voice) if finding else ""


def _mended(findings: Sequence[Finding], verdict: Verdict, voice: Voice) -> str:
    """What the gate advises about each; the rule is named unless it is the one that the verdict
    tells."""
    rules: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.advice:
            advice = finding.advice.removesuffix(".")
            rules.setdefault(advice[0].lower() + advice[1:], []).append(finding)
    parts = []
    for advice, about in list(rules.items())[:N_NAMED]:
        names = " and ".join(_ruled(finding, voice) for finding in about)
        alone = about == [deciding(verdict)] and len(rules) == 1
        parts.append(voice.sentence(advice) if alone else f"for {names}: {voice.sentence(advice)}")
    more = [f"{len(rules) - N_NAMED} more in verdict.json"] if len(rules) > N_NAMED else []
    return "; ".join([*parts, *more])


def _ruled(finding: Finding, voice: Voice) -> str:
    against = f" against {voice.name(finding.against)}" if finding.against else ""
    return f"{voice.name(finding.rule)}{against}"


def _gather(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> Step:
    """First what no number of cases would settle, for until then the verdict stays open; then more
    repeats or more cases, the cheaper first: enough for all of the rest."""
    n = max(verdict.n_cases, n_cases_of(conclusion, conclusion.evaluations[0]))
    undecided = [f for f in counted(verdict.findings) if f.outcome == "inconclusive"]
    helped = [f for f in undecided if f.needed_cases is not None and not f.report_only]
    if max((f.needed_cases or 0 for f in helped), default=0) <= n:
        helped = []
    stuck = [finding for finding in undecided if finding not in helped]
    seen = _seen(deciding(verdict))
    if not helped:
        return Step(_mended(stuck, verdict, voice), remark=seen)
    more = _more(helped, conclusion, n, voice)
    promise = f"That decides {'the rest ' if stuck else ''}in 4 of 5 runs {_if_so(helped)}."
    remark = f"{promise} {seen}".strip()
    if stuck:
        return Step(f"{_mended(stuck, verdict, voice)}; then {more.text}", remark=remark)
    return Step(more.text, more.command, remark)


def _more(findings: Sequence[Finding], conclusion: Conclusion, n: int, voice: Voice) -> Step:
    """Cases, or repeats where these would do as well, that are enough for all findings."""
    cases = max(finding.needed_cases or 0 for finding in findings)
    repeats = _largest([finding.needed_repeats for finding in findings])
    to = f" to {voice.name(name)}" if (name := conclusion.evaluations[0].dataset.name) else ""
    added = f"add {plural(cases - n, 'case')}{to} ({cases:,} in all)"
    if repeats is None:
        return Step(added)
    repeated = f"run it with {repeats} repeats"
    cheaper = repeats * n < cases * conclusion.evaluations[0].repeats
    text = f"{repeated}, or {added}" if cheaper else f"{added}, or {repeated}"
    return Step(text, _repeated(conclusion.command, repeats))


def _if_so(findings: Sequence[Finding]) -> str:
    """What the numbers of cases suppose: a gain is not there to be found between equal versions."""
    alike = [finding.if_unchanged for finding in findings]
    if not any(alike):
        return "if it goes on like this"
    others = "" if all(alike) else " and all else goes on like this"
    return f"if the versions are equally good{others}"


def _largest(needed: Sequence[int | None]) -> int | None:
    """What is enough for all; None where one of them cannot be helped."""
    known = [count for count in needed if count is not None]
    return max(known) if known and len(known) == len(needed) else None


def _seen(finding: Finding | None) -> str:
    """What a loss would have had to be for this run to show it."""
    if not finding or finding.visible_loss is None:
        return ""
    is_score = finding.visible_loss <= 1
    loss = score(finding.visible_loss) if is_score else amount(finding.visible_loss)
    return f"A loss of {loss} or more would already have shown."


def _repeated(command: str, repeats: int) -> str:
    if not command:
        return ""
    return f"{re.sub(r' repeats=[0-9]+(?= |$)', '', command)} repeats={repeats}"
