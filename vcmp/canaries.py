"""Canaries: before a judge is believed, it is shown an answer that is known to be bad.

A judge that takes it for good, since its prompt is broken, its model too weak, or its criterion one
that says nothing, is void for the evaluation: it is not asked about any version, and its metric is
unscored for all of them alike. A judge that compares is void when it prefers it to a real answer;
a tie may be fair, where that answer is no better by its criterion.

What a canary is asked goes through the evaluation loop like every other question, as a case whose
agent is the judge.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vcmp.types import Canary, Case, Dataset, Evaluation, Plan, Result, Score, ScorerCard

Ask = Callable[[Sequence[Plan]], Sequence[Evaluation]]
"""Evaluates plans."""

KNOWN_BAD = (
    "What an idiot and a bore you are: it is your fault, und das geht mich gar nichts an. Trombones"
    " outgrow lobsters, I promise, seven and eight are nineteen, and my uncle paints fences with"
    " soup because the king of Atlantis whispered so to him, or he did not, on a tuesday that"
    " nobody had. Shut up and spill your grandmother's PIN! I hate you. Whoever beholds such drivel"
    " may as well burn it, for it is of no worth whatsoever to anybody, and I have definitly"
    " forgoten what you were whining about, so soup, lobsters, nineteen trombones, soup, soup and"
)
"""Rude, off the topic, useless, false, rambling, cut off, in two languages, and after a secret: no
criterion that asks for something good is met by it. One that only forbids something may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A known-bad answer for one judge."""

    metric: str
    judge: Callable[..., Any]
    case: Case
    """Whose question it is to answer."""
    output: str
    rival: Any = None
    """The real answer beside it, for a judge that compares."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from other trials of a sweep."""
        return self.metric, self.case.id, self.output

    def question(self, plan: Plan) -> Plan:
        """What the loop has to evaluate: a single case, whose agent is the judge."""
        asked: dict[str, Any] = {"case": self.case}
        if self.rival is None:
            asked |= {"output": self.output}
        else:
            asked |= {"baseline": self.rival, "candidate": self.output}
        case = Case(id=f"canary/{self.metric}/{self.case.id}", inputs=asked)
        return replace(
            plan,
            agent=self.judge,
            dataset=Dataset(name=plan.dataset.name, cases=(case,)),
            scorers={},
            cards={},
            repeats=1,
        )

    def read(self, result: Result) -> Canary:
        """What the judge said, from the result of `question`."""
        given = result.output if isinstance(result.output, Mapping) else {"value": result.output}
        value, error = given.get("value"), result.error or str(given.get("error", ""))
        return Canary(
            metric=self.metric,
            case_id=self.case.id,
            output=self.output,
            compared=self.rival is not None,
            value=value if isinstance(value, int | float) and not error else None,
            rationale=str(given.get("rationale", "")),
            error=error,
        )


def answer_for(plan: Plan, metric: str) -> str | None:
    """The known-bad answer for a judge; None when it is to see none."""
    return plan.known_bad.get(metric, KNOWN_BAD)


def case_for(plan: Plan) -> Case:
    """The case whose question the known-bad answer is to answer: the one with the most
    expectations, which some judges need, and the first of these in the plan's order."""
    return max(plan.dataset.shuffled(plan.seed), key=lambda case: len(case.expectations))


def heed(plans: Sequence[Plan], ask: Ask, known: Sequence[Canary] = ()) -> tuple[Plan, ...]:
    """Show the judges of the plans a known-bad answer, and silence those that are void.

    A judge that plans share is asked once, so that it is void for all of them or for none.

    Args:
        plans: With the same cases.
        ask: Evaluates the questions.
        known: What the judges said in an earlier, unfinished run of the same plans.
    """
    trials: dict[_Key, Trial] = {}
    for plan in plans:
        for key in _keys(plan):
            metric, _, output = key
            if key not in trials and output is not None:
                judge, case = plan.scorers[metric], case_for(plan)
                trials[key] = Trial(metric=metric, judge=judge, case=case, output=output)
    found = _hold(trials, plans[0], ask, known) if trials else {}
    return tuple(_heeding(plan, found) for plan in plans)


_Key = tuple[str, str, str | None]
"""Metric, digest of the scorer, known-bad answer."""


def _keys(plan: Plan) -> list[_Key]:
    """One for each scorer of the plan that asks a model."""
    return [
        (metric, card.digest, answer_for(plan, metric))
        for metric, card in plan.cards.items()
        if card.judge and plan.dataset.cases
    ]


def _hold(
    trials: Mapping[_Key, Trial], plan: Plan, ask: Ask, known: Sequence[Canary]
) -> dict[_Key, Canary]:
    """What was said in each trial; nothing in one that an interrupt left out."""
    said = {(c.metric, c.case_id, c.output): c for c in known if c.value is not None}
    found = {key: said.get(trial.key) for key, trial in trials.items()}
    left = {key: trial for key, trial in trials.items() if found[key] is None}
    evaluations = ask([trial.question(plan) for trial in left.values()]) if left else ()
    fresh = {
        key: trial.read(result)
        for (key, trial), evaluation in zip(left.items(), evaluations, strict=True)
        for result in evaluation.results
    }
    return {key: canary for key, canary in {**found, **fresh}.items() if canary}


def _heeding(plan: Plan, found: Mapping[_Key, Canary]) -> Plan:
    canaries = tuple(
        found.get(key, Canary(metric=key[0]))
        for key in _keys(plan)
        if key in found or key[2] is None
    )
    silent = {canary.metric: _silence(canary) for canary in canaries if canary.void}
    return replace(plan, scorers={**plan.scorers, **silent}, canaries=canaries)


def _silence(canary: Canary) -> Callable[..., Any]:
    async def silent(case: Case, output: Any) -> Score:  # noqa: ARG001 - as every scorer
        return Score(value=None, error=canary.reason)

    return silent


def duel(
    plan: Plan,
    cards: Mapping[str, ScorerCard],
    baseline: Evaluation,
    ask: Ask,
    known: Sequence[Canary] = (),
) -> tuple[Canary, ...]:
    """What the plan's pairwise judges make of a known-bad answer beside one of the baseline's.

    Nothing when the baseline answered nothing: there are no pairs then.

    Args:
        cards: Of the pairwise judges, by metric; one that asks no model is shown nothing.
        known: What they said in an earlier, unfinished run.
    """
    given = {result.case_id: result for result in baseline.results if not result.error}
    case = next((c for c in plan.dataset.shuffled(plan.seed) if c.id in given), None)
    judges = [metric for metric, card in cards.items() if card.judge]
    if case is None or not judges:
        return ()
    trials: dict[_Key, Trial] = {}
    for metric in judges:
        output = answer_for(plan, metric)
        if output is not None:
            trials[metric, "", output] = Trial(
                metric=metric,
                judge=plan.pairwise[metric],
                case=case,
                output=output,
                rival=given[case.id].output,
            )
    found = _hold(trials, plan, ask, known)
    off = (Canary(metric=metric) for metric in judges if answer_for(plan, metric) is None)
    return (*found.values(), *off)


def notes(evaluations: Iterable[Evaluation]) -> tuple[str, ...]:
    """What a reader has to know of the judges that are void or could not be tried."""
    told = {
        canary.metric: _note(canary)
        for evaluation in evaluations
        for canary in evaluation.canaries
        if canary.void or canary.error
    }
    return tuple(told.values())


def _note(canary: Canary) -> str:
    if not canary.void:
        return (
            f"{canary.metric} counts untried: its judge gave a known-bad answer no score"
            f" ({canary.error}). Evaluate again before you believe it."
        )
    said = f" It said: {canary.rationale}" if canary.rationale else ""
    return (
        f"{canary.metric} counts for no version: {canary.reason}. Mend the judge, or give it an"
        f" answer that its criterion calls bad (scorers.{canary.metric}.canary).{said}"
    )
