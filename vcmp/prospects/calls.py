"""What plans ask of models at least."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vcmp import canaries
from vcmp.scorers import card_of
from vcmp.types import Case, Plan

ORDERS = 2
"""A pairwise judge sees each pair in both."""


def agent_calls(plans: Iterable[Plan]) -> int:
    """Runs of an agent: each makes one call, or more."""
    return sum(len(plan.dataset.cases) * plan.repeats for plan in plans)


def judge_calls(plans: Sequence[Plan], n_candidates: int) -> dict[str, int]:
    """Calls of each scorer that asks a judge, if every run answers and is judged at once.

    Args:
        n_candidates: Versions whose outputs pairwise judges compare with the baseline's.
    """
    first = plans[0]
    asked = {name: plan_calls(plans, name) for name, card in first.cards.items() if card.judge}
    pairs = len(first.dataset.cases) * first.repeats * n_candidates
    asked |= {name: pairs * _pair_calls(judge) for name, judge in first.pairwise.items()}
    tried = canary_calls(first, n_candidates)
    return {name: number + tried.get(name, 0) for name, number in asked.items()}


def canary_calls(plan: Plan, n_candidates: int) -> dict[str, int]:
    """Of these, the calls about a known-bad answer: one answer a judge, for all versions together.

    Args:
        plan: One of those that run together.
        n_candidates: As above.
    """
    if not plan.dataset.cases:
        return {}
    case = canaries.case_for(plan)
    judges = [name for name, card in plan.cards.items() if card.judge]
    asked = {name: _calls(plan.scorers[name], case) for name in judges}
    if n_candidates:
        compared = {name: j for name, j in plan.pairwise.items() if card_of(j).judge}
        asked |= {name: _pair_calls(judge) for name, judge in compared.items()}
    return {name: n for name, n in asked.items() if canaries.answer_for(plan, name) is not None}


def plan_calls(plans: Iterable[Plan], scorer: str) -> int:
    """Calls of one scorer over all runs of the plans."""
    return sum(
        plan.repeats * sum(_calls(plan.scorers[scorer], case) for case in plan.dataset.cases)
        for plan in plans
    )


def _pair_calls(judge: Callable[..., Any]) -> int:
    """Calls for two outputs."""
    return ORDERS * int(getattr(judge, "votes", 1))


def _calls(scorer: Callable[..., Any], case: Case) -> int:
    """Calls for one output: of vcmp's own judges one for each rule, or for each expected fact, and
    for each vote."""
    from vcmp.judges import Correctness, Guidelines, Judge

    judge = getattr(scorer, "__vcmp_scorer__", scorer)
    votes = judge.votes if isinstance(judge, Judge) else 1
    if isinstance(judge, Guidelines):
        return votes * len(judge.rules)
    if isinstance(judge, Correctness):
        facts = case.expectations.get(judge.expectation) or ()
        return votes * (1 if isinstance(facts, str) else len(facts))
    return votes
