"""The sample project: its agents on the scripted provider, its cases, its configs."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from agents import plain
from agents.orders import OrdersAgent, look_up_order
from agents.support import SupportAgent
from vcmp.calls import collect
from vcmp.evaluation import Interrupt
from vcmp.provider import Scripted, meter
from vcmp.scorers import Empathy, Mentions, Polite
from vcmp.types import Case, Limits

ROOT = Path(__file__).parent.parent
PROMPT = "You are a helpful customer support agent."
GUIDE = {
    "How can I track my package?",
    "What's your return policy?",
    "I need help with my account login",
    "My order arrived damaged, what should I do?",
    "Can I cancel my subscription?",
}


def read_cases() -> list[Case]:
    lines = (ROOT / "conf/dataset/support.jsonl").read_text(encoding="utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]


def read_agent(choice: str) -> dict[str, Any]:
    """The parameters in `conf/agent/<choice>.yaml`, on top of its defaults."""
    config = yaml.safe_load((ROOT / f"conf/agent/{choice}.yaml").read_text(encoding="utf-8"))
    below = [read_agent(name) for name in config.pop("defaults", [])]
    return {key: value for layer in [*below, config] for key, value in layer.items()}


@pytest.fixture(autouse=True)
def _scripted() -> Iterator[None]:
    with Scripted(str(ROOT / "agents/faq.yaml")):
        yield


async def answers(agent: Any, questions: list[str]) -> list[str]:
    """The agent's answers, sixteen at a time; its client is closed then."""
    gate = asyncio.Semaphore(16)

    async def ask(question: str) -> str:
        async with gate:
            return str(await agent(question))

    try:
        return await asyncio.gather(*map(ask, questions))
    finally:
        await agent.client.close()


def scores(choice: str, cases: list[Case], *scorers: Any) -> list[list[float]]:
    config = read_agent(choice)
    config.pop("_target_")
    questions = [case.inputs["question"] for case in cases]
    outputs = asyncio.run(answers(SupportAgent(**config), questions))
    return [
        [scorer(case, output).value for case, output in zip(cases, outputs, strict=True)]
        for scorer in scorers
    ]


def test_the_cases_are_many_and_the_guides_are_among_them():
    """Enough for a verdict; clusters for paraphrases; tags to report by."""
    cases = read_cases()

    assert len(cases) >= 120
    assert len({case.id for case in cases}) == len(cases)
    assert {case.inputs["question"] for case in cases} >= GUIDE
    assert 35 <= len({case.cluster for case in cases}) <= 45
    assert {tag for case in cases for tag in case.tags} >= {
        "shipping", "returns", "account", "billing", "subscription", "product",
    }  # fmt: skip


def test_every_expected_fact_can_be_known():
    """A fact that no article of the FAQ holds would be lost by every agent."""
    entries = yaml.safe_load((ROOT / "agents/faq.yaml").read_text(encoding="utf-8"))
    known = "\n".join(text for e in entries for text in e["facts"] + e["steps"]).casefold()

    missing = [
        (case.id, fact)
        for case in read_cases()
        for fact in case.expectations["expected_facts"]
        if fact.casefold() not in known
    ]
    assert missing == []


def test_empathetic_is_warmer_and_neither_better_nor_worse_informed():
    """The demo's two sides: each wins and loses cases, and the difference can be judged."""
    cases = read_cases()
    basic, polite, empathy = scores("basic", cases, Mentions(), Polite(), Empathy())
    warm, warm_polite, warm_empathy = scores("empathetic", cases, Mentions(), Polite(), Empathy())
    differences = [new - old for old, new in zip(basic, warm, strict=True)]

    assert 0.85 <= fmean(basic) <= 0.92
    assert abs(fmean(differences)) <= 0.02
    assert sum(difference > 0 for difference in differences) >= 4
    assert sum(difference < 0 for difference in differences) >= 4
    assert fmean(warm_polite) > fmean(polite) + 0.3
    assert fmean(warm_empathy) > fmean(empathy) + 0.3


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_support_agent_answers_over_both_apis(api):
    """One parameter apart."""
    agent = SupportAgent(PROMPT, api=api)
    with meter(Limits(), Interrupt()), collect() as calls:
        (answer,) = asyncio.run(answers(agent, ["How can I track my package?"]))

    assert "tracking link" in answer
    assert [call.api for call in calls] == ["chat.completions" if api == "chat" else "responses"]
    assert calls[0].model == "vcmp-scripted"
    assert calls[0].cost_usd is None


def test_the_support_agent_knows_two_apis():
    """A misspelt one fails at the start, not at the first case."""
    with pytest.raises(ValueError, match=r"^api is 'caht', not 'chat' or 'responses'$"):
        SupportAgent(PROMPT, api="caht")  # type: ignore[arg-type]


def test_a_plain_function_is_an_agent():
    """With one client for all its calls."""
    plain._client.cache_clear()
    try:
        assert "30 days" in plain.answer("What's your return policy?", prompt=PROMPT)
    finally:
        plain._client().close()
        plain._client.cache_clear()


def test_the_orders_agent_looks_up_and_then_answers():
    """Two calls where there is an order to look up, else one."""
    questions = ["Where is my order #10482?", "Where is order 99999?", "Can I cancel my order?"]
    with meter(Limits(), Interrupt()), collect() as calls:
        known, unknown, other = asyncio.run(answers(OrdersAgent(PROMPT), questions))

    assert "Status: in transit".casefold() in known.casefold()
    assert "there is no order '99999'" in unknown
    assert "until it is packed" in other
    assert len(calls) == 5


@pytest.mark.parametrize("number", ["10482", "#10482", 10482, " 10482 "])
def test_an_order_is_found_however_the_model_writes_it(number):
    """Models are not strict about strings."""
    assert look_up_order(number)["status"] == "in transit"


def test_every_config_says_first_what_it_is():
    """The file is what a reader of a diff sees."""
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        assert path.read_text(encoding="utf-8").startswith("# "), path
