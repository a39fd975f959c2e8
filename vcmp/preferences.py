"""Pairwise judgement: the pairs of outputs that a judge compares, and what its replies mean.

A pair is put to the evaluation loop as a case whose agent is the judge, so that it has the order,
the deadlines, the retries and the interrupts of every other case.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from vcmp.types import TIE, Case, Dataset, Evaluation, Plan, Preference, Result

INTERRUPTED = "the judge was not asked: the run was interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two versions made of a case, the same repeat of both."""

    case: Case
    baseline: Result
    candidate: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One judge's comparison of a candidate's outputs with the baseline's."""

    metric: str
    """Name under which the judge is configured."""
    settled: tuple[Preference, ...]
    """Of the pairs that need no judge."""
    plan: Plan
    """The other pairs as cases, with the judge as their agent."""

    def read(self, result: Result) -> Preference:
        """What a result of `plan` says; a judge that failed leaves its pair unscored."""
        repeat, _, case_id = result.case_id.partition("/")
        return _preference(self.metric, case_id, int(repeat), result)


def pairs(baseline: Evaluation, candidate: Evaluation) -> tuple[Pair, ...]:
    """The results that both have, repeat by repeat, in the order of the candidate's."""
    before = {(result.case_id, result.repeat): result for result in baseline.results}
    cases = {case.id: case for case in candidate.dataset.cases}
    return tuple(
        Pair(
            case=cases[result.case_id],
            baseline=before[result.case_id, result.repeat],
            candidate=result,
        )
        for result in candidate.results
        if (result.case_id, result.repeat) in before
    )


def make_round(
    metric: str,
    judge: Callable[..., Any],
    both: Sequence[Pair],
    plan: Plan,
    given: Iterable[Preference] = (),
) -> Round:
    """Let `judge` compare pairs.

    Args:
        metric: Its name.
        judge: Called with `case`, `baseline` and `candidate`, the two outputs; sync or async. Gives
            a `Preference`, or a number: 1 when the candidate's output is the better one, 0 when the
            baseline's is, 0.5 for a tie.
        both: The pairs.
        plan: Of the candidate; the judge is asked in the same order of cases.
        given: What the judge has said already, before the sweep was ended.
    """
    said = {(e.case_id, e.repeat): e for e in given if e.error != INTERRUPTED}
    found = [
        settle(metric, pair) or said.get((pair.case.id, pair.candidate.repeat)) for pair in both
    ]
    asked = [pair for pair, preference in zip(both, found, strict=True) if preference is None]
    return Round(
        metric=metric,
        settled=tuple(preference for preference in found if preference),
        plan=replace(
            plan,
            agent=judge,
            dataset=Dataset(name=plan.dataset.name, cases=tuple(map(_as_case, asked))),
            scorers={},
            cards={},
            repeats=1,
        ),
    )


def _as_case(pair: Pair) -> Case:
    return Case(
        id=f"{pair.candidate.repeat}/{pair.case.id}",
        inputs={
            "case": pair.case,
            "baseline": pair.baseline.output,
            "candidate": pair.candidate.output,
        },
    )


def settle(metric: str, pair: Pair) -> Preference | None:
    """What follows without a judge: who failed loses, and equal outputs are a tie.

    None when a judge has to be asked.
    """
    before, after = pair.baseline, pair.candidate
    match bool(before.error), bool(after.error):
        case True, True:
            value, why = TIE, "both failed"
        case True, False:
            value, why = 1.0, f"the baseline failed: {before.error}"
        case False, True:
            value, why = 0.0, f"the candidate failed: {after.error}"
        case _ if before.output == after.output:
            value, why = TIE, "the outputs are equal"
        case _:
            return None
    return Preference(
        metric=metric, case_id=pair.case.id, repeat=after.repeat, value=value, rationale=why
    )


def _preference(metric: str, case_id: str, repeat: int, result: Result) -> Preference:
    given = result.output if isinstance(result.output, Mapping) else {"value": result.output}
    value, error = given.get("value"), result.error or str(given.get("error", ""))
    if not (error or (isinstance(value, int | float) and 0 <= value <= 1)):
        error = f"the judge gave {result.output!r}, not a Preference or a number from 0 to 1"
    return Preference(
        metric=metric,
        case_id=case_id,
        repeat=repeat,
        value=None if error or value is None else float(value),
        swayed=bool(given.get("swayed", False)),
        rationale=str(given.get("rationale", "")),
        error=error,
        agreement=given.get("agreement"),
    )


def complete(
    given: Sequence[Preference],
    metrics: Iterable[str],
    asked: Sequence[tuple[str, int]],
    void: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Preference, ...]:
    """One preference for each judge and pair, an unscored one where there is none.

    So what an interrupt left out is counted as missing, and not as if it had never been asked for.

    Args:
        given: In any order.
        metrics: Of the judges.
        asked: Case id and repeat of each pair.
        void: By judge that may not be believed, why; it was asked nothing.
    """
    known = {(each.metric, each.case_id, each.repeat): each for each in given}
    keys = [(metric, *pair) for metric in metrics for pair in asked]
    return tuple(
        known.get(key) or _unasked(*key, error=void.get(key[0], INTERRUPTED)) for key in keys
    )


def _unasked(metric: str, case_id: str, repeat: int, *, error: str) -> Preference:
    return Preference(metric=metric, case_id=case_id, repeat=repeat, error=error)
