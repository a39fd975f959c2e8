"""The answers that people labelled, and what each judge says of them.

A question to a judge is put to the evaluation loop as a case whose agent is the judge.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vcmp import preferences
from vcmp.agreement import Agreement, Means, Seen, agreement, can_correct, means
from vcmp.checking.labels import BASELINE_OUTPUT, OUTPUT, Labels, judges_of
from vcmp.errors import EvaluationError
from vcmp.metrics import text_of
from vcmp.preferences import Pair, Round
from vcmp.scorers import card_of
from vcmp.types import Case, Dataset, Evaluation, Plan, Preference, Result, Score, ScorerCard

Run = Callable[[Sequence[Plan], str], Sequence[Evaluation]]
"""Evaluates plans, and shows what is being done in a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquest:
    """What is to be asked."""

    plan: Plan
    labels: Labels
    wanted: Mapping[str, tuple[Case, ...]]
    """By judge, the cases it is asked about."""
    unasked: Mapping[str, str] = field(default_factory=dict)
    """By judge, why it is asked nothing."""

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases that some judge is asked about."""
        ids = {case.id for cases in self.wanted.values() for case in cases}
        return tuple(case for case in self.plan.dataset.cases if case.id in ids)

    @property
    def fresh(self) -> tuple[Case, ...]:
        """Those without an answer, which the agent has to give."""
        return tuple(case for case in self.cases if _stored(case, OUTPUT) is None)

    @property
    def n_unlabelled(self) -> int:
        """Cases that nobody labelled."""
        return len(self.plan.dataset.cases) - len(self.labels.case_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One judge, asked."""

    name: str
    card: ScorerCard
    seen: tuple[Seen, ...]
    agreement: Agreement
    means: Means | None


def prepare(plan: Plan, labels: Labels) -> Inquest:
    """Find out which judge is asked about which cases.

    Cases without a label are asked about only where that corrects a mean: each question may cost
    money. A pairwise judge is asked about every case that has two answers.
    """
    wanted: dict[str, tuple[Case, ...]] = {}
    unasked = {}
    for name in judges_of(plan):
        labelled = labels.given.get(name, {})
        if name in plan.pairwise:
            cases = [c for c in plan.dataset.cases if _stored(c, BASELINE_OUTPUT) is not None]
            why = f"no case has two answers, {OUTPUT} and {BASELINE_OUTPUT}"
        else:
            cases = [c for c in plan.dataset.cases if c.id in labelled or can_correct()]
            cases, why = (cases if labelled else []), "no case has a label for it"
        if cases:
            wanted[name] = tuple(cases)
        else:
            unasked[name] = why
    return Inquest(plan=plan, labels=labels, wanted=wanted, unasked=unasked)


def _stored(case: Case, name: str) -> Any:
    return case.expectations.get(name)


def find_answers(inquest: Inquest, run: Run) -> dict[str, Result]:
    """The answer of each case: what people saw, or else what the agent says now."""
    stored = {
        case.id: Result(case_id=case.id, output=_stored(case, OUTPUT))
        for case in inquest.cases
        if _stored(case, OUTPUT) is not None
    }
    fresh = inquest.fresh
    if not fresh:
        return stored
    plan = _asking(inquest.plan, inquest.plan.agent, fresh)
    (evaluation,) = run([plan], "answering")
    return stored | {result.case_id: result for result in evaluation.results}


def _asking(plan: Plan, agent: Callable[..., Any], cases: Sequence[Case]) -> Plan:
    dataset = Dataset(name=plan.dataset.name, cases=tuple(cases))
    return replace(plan, agent=agent, dataset=dataset, scorers={}, cards={}, repeats=1)


def ask_judges(inquest: Inquest, answers: Mapping[str, Result], run: Run) -> list[Checked]:
    """Ask each judge, and compare what it says with the labels.

    Args:
        answers: By case id; a case whose agent failed is left out, nobody can judge it.
        run: How.
    """
    plan = inquest.plan
    there = {case_id for case_id, answer in answers.items() if not answer.error}
    cases = {
        name: [case for case in wanted if case.id in there]
        for name, wanted in inquest.wanted.items()
    }
    rounds = {
        name: preferences.make_round(name, judge, _pairs(cases[name], answers), plan)
        for name, judge in plan.pairwise.items()
        if name in cases
    }
    plans = [
        rounds[name].plan if name in rounds else _scoring(plan, name, each, answers)
        for name, each in cases.items()
    ]
    evaluations = run(plans, "judging")
    return [
        _checked(inquest, name, _opinions(evaluation, rounds.get(name)), answers)
        for name, evaluation in zip(cases, evaluations, strict=True)
    ]


def refuse_silence(checked: Sequence[Checked]) -> None:
    """Raise an `EvaluationError` when no judge said anything: there is nothing to compare."""
    seen = [each for judge in checked for each in judge.seen]
    if any(each.value is not None for each in seen):
        return
    why = next((f" ({each.error})" for each in seen if each.error), "")
    raise EvaluationError(
        f"no judge gave a judgement{why}.\n  Mend that, and check the judges again."
    )


def _pairs(cases: Sequence[Case], answers: Mapping[str, Result]) -> list[Pair]:
    return [
        Pair(
            case=case,
            baseline=Result(case_id=case.id, output=_stored(case, BASELINE_OUTPUT)),
            candidate=answers[case.id],
        )
        for case in cases
    ]


def _scoring(plan: Plan, judge: str, cases: Sequence[Case], answers: Mapping[str, Result]) -> Plan:
    questions = [
        Case(id=case.id, inputs={"case": case, "output": answers[case.id].output}) for case in cases
    ]
    return _asking(plan, plan.scorers[judge], questions)


def _opinions(evaluation: Evaluation, round: Round | None) -> dict[str, Score | Preference]:
    """What a judge said, by case id."""
    if round is None:
        return {result.case_id: _score(result) for result in evaluation.results}
    asked = [round.read(result) for result in evaluation.results]
    return {preference.case_id: preference for preference in (*round.settled, *asked)}


def _score(result: Result) -> Score:
    return Score(value=None, error=result.error) if result.error else Score(**result.output)


def _checked(
    inquest: Inquest,
    name: str,
    opinions: Mapping[str, Score | Preference],
    answers: Mapping[str, Result],
) -> Checked:
    plan, labels = inquest.plan, inquest.labels.given.get(name, {})
    pairwise = name in plan.pairwise
    seen = tuple(
        Seen(
            case_id=case.id,
            value=opinion.value,
            label=labels.get(case.id),
            cluster=case.cluster,
            length=_length(case, answers[case.id], pairwise),
            swayed=opinion.swayed if isinstance(opinion, Preference) else None,
            rationale=opinion.rationale,
            error=opinion.error,
        )
        for case in inquest.wanted[name]
        if (opinion := opinions.get(case.id))
    )
    return Checked(
        name=name,
        card=card_of(plan.pairwise[name]) if pairwise else plan.cards[name],
        seen=seen,
        agreement=agreement(seen, pairwise=pairwise),
        means=means(seen),
    )


def _length(case: Case, answer: Result, pairwise: bool) -> float:
    other = text_of(_stored(case, BASELINE_OUTPUT)) if pairwise else ""
    return len(text_of(answer.output)) - len(other)
