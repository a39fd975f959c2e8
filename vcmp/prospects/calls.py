"""What plans ask of models at least."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

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
    return asked | dict.fromkeys(first.pairwise, ORDERS * pairs)


def plan_calls(plans: Iterable[Plan], scorer: str) -> int:
    """Calls of one scorer over all runs of the plans."""
    return sum(
        plan.repeats * sum(_calls(plan.scorers[scorer], case) for case in plan.dataset.cases)
        for plan in plans
    )


def _calls(scorer: Callable[..., Any], case: Case) -> int:
    """Calls for one output: of vcmp's own judges one for each rule, or for each expected fact."""
    from vcmp.judges import Correctness, Guidelines

    judge = getattr(scorer, "__vcmp_scorer__", scorer)
    if isinstance(judge, Guidelines):
        return len(judge.rules)
    if isinstance(judge, Correctness):
        facts = case.expectations.get(judge.expectation) or ()
        return 1 if isinstance(facts, str) else len(facts)
    return 1
