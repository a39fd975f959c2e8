"""The next step after a verdict."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from vcmp.reports import flips
from vcmp.reports.lookups import deciding, judged_in, n_cases_of
from vcmp.reports.numbers import amount, plural, score, share
from vcmp.reports.words import Voice
from vcmp.types import Conclusion, Finding, Verdict, counted

N_NAMED = 3
"""Cases named to be read first."""


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
    """How many users get it first; only one candidate can be shipped."""
    if not verdict.rollout or not conclusion.baseline or conclusion.best != verdict.variant:
        return ""
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
    if not finding or not finding.advice:
        return ""
    advice = finding.advice.removesuffix(".")
    return voice.sentence(advice[0].lower() + advice[1:])


def _gather(conclusion: Conclusion, verdict: Verdict, voice: Voice) -> Step:
    """More repeats or more cases, the cheaper first: enough for all that is not decided."""
    undecided = [f for f in counted(verdict.findings) if f.outcome == "inconclusive"]
    n = max(verdict.n_cases, n_cases_of(conclusion, conclusion.evaluations[0]))
    cases = _largest([finding.needed_cases for finding in undecided])
    repeats = _largest([finding.needed_repeats for finding in undecided])
    seen = _seen(deciding(verdict))
    if cases is None or cases <= n:
        return Step(_advice(verdict, voice), remark=seen)
    to = f" to {voice.name(name)}" if (name := conclusion.evaluations[0].dataset.name) else ""
    options = [(cases * conclusion.evaluations[0].repeats, _add(cases, n, to))]
    if repeats is not None:
        options.append((repeats * n, f"run it with {repeats} repeats"))
    text = ", or ".join(option for _, option in sorted(options))
    alike = all(finding.visible_loss is not None for finding in undecided)
    if_so = "if the versions are equally good" if alike else "if it goes on like this"
    promise = f"That decides in 4 of 5 runs {if_so}."
    command = _repeated(conclusion.command, repeats) if repeats is not None else ""
    return Step(text, command, f"{promise} {seen}".strip())


def _largest(needed: Sequence[int | None]) -> int | None:
    """What is enough for all; None where one of them cannot be helped."""
    known = [count for count in needed if count is not None]
    return max(known) if known and len(known) == len(needed) else None


def _add(wanted: int, n: int, to: str) -> str:
    return f"add {plural(wanted - n, 'case')}{to} ({wanted:,} in all)"


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
