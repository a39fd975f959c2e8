"""What plans take at worst, in tokens and money, before anything is sent."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vcmp.metrics import text_of
from vcmp.prospects.calls import agent_calls, judge_calls
from vcmp.provider.metering.prices import cost_usd
from vcmp.provider.metering.purse import BYTES_PER_TOKEN, MOST_OUTPUT_TOKENS, OUTPUT_LIMITS
from vcmp.types import Evaluation, Plan

INSTRUCTIONS = 500
"""Tokens of what a judge is told beside question and answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What calls take if every answer is as long as it may be and none is asked for twice."""

    calls_a_case: float
    """Of an agent, for one answer; as assumed."""
    tokens: int
    usd: float | None
    """None where a price is unknown."""
    unpriced: tuple[str, ...] = ()
    """Models whose price is unknown; "" stands for an agent whose file names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """Tokens of some calls together."""

    model: str
    asked: int
    answered: int


def worst_cost(plans: Sequence[Plan], n_candidates: int, calls_a_case: float = 1.0) -> Cost:
    """What plans take if each answer is as long as it may be.

    Args:
        n_candidates: Versions whose outputs pairwise judges compare with the baseline's.
        calls_a_case: Calls that an agent makes for one answer: nobody knows before it runs.
    """
    agents = [_agent(plan, calls_a_case) for plan in plans]
    shares = [*agents, *_judges(plans, n_candidates)]
    prices = [cost_usd(share.model, share.asked, share.answered) for share in shares]
    unpriced = {s.model: None for s, price in zip(shares, prices, strict=True) if price is None}
    return Cost(
        calls_a_case=calls_a_case,
        tokens=sum(share.asked + share.answered for share in shares),
        usd=None if unpriced else sum(price or 0.0 for price in prices),
        unpriced=tuple(unpriced),
    )


def recorded_calls(known: Evaluation | None) -> float:
    """The calls that an agent made for one answer, on average; 1 where none are known."""
    answers = [result.calls for result in known.results if result.calls] if known else []
    return sum(map(len, answers)) / len(answers) if answers else 1.0


def _agent(plan: Plan, calls_a_case: float) -> _Share:
    params = plan.version.variant.params
    own = _tokens(params.get("prompt", ""))
    cases = sum(_tokens(dict(case.inputs)) for case in plan.dataset.cases)
    n = agent_calls([plan])
    return _Share(
        model=str(params.get("model") or ""),
        asked=math.ceil((own * n + cases * plan.repeats) * calls_a_case),
        answered=math.ceil(_most_output(params) * n * calls_a_case),
    )


def _judges(plans: Sequence[Plan], n_candidates: int) -> Iterator[_Share]:
    first = plans[0]
    longest = max(_most_output(plan.version.variant.params) for plan in plans)
    question = max(_tokens(dict(case.inputs)) for case in first.dataset.cases)
    models = {name: card.model for name, card in first.cards.items()}
    models |= {name: getattr(judge, "model", "") for name, judge in first.pairwise.items()}
    for name, n in judge_calls(plans, n_candidates).items():
        answers = 2 * longest if name in first.pairwise else longest
        yield _Share(
            model=str(models[name]).rpartition(":/")[2],  # MLflow says openai:/gpt-4o-mini
            asked=n * (INSTRUCTIONS + question + answers),
            answered=n * MOST_OUTPUT_TOKENS,
        )


def _most_output(params: Mapping[str, Any]) -> int:
    limits = (params.get(name) for name in OUTPUT_LIMITS)
    return next((limit for limit in limits if isinstance(limit, int)), MOST_OUTPUT_TOKENS)


def _tokens(value: Any) -> int:
    return math.ceil(len(text_of(value).encode()) / BYTES_PER_TOKEN)
