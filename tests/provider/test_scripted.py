"""The scripted provider, asked by the real openai SDK."""

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from vcmp.errors import ConfigError
from vcmp.provider import Scripted

FAQ = """\
- id: returns
  keywords: [return, return policy]
  facts: [You can return items within 30 days., Return shipping is free., Refunds take 5 days.]
  steps: [Open My Orders., Choose Return items., Print the label.]
  feeling: It is a pity.
- id: exchange
  keywords: [return, exchange]
  facts: [Exchanges are free.]
"""
BASIC = "You are a helpful agent."
WARM = "You are an empathetic agent. Provide clear, actionable steps."
QUESTION = "What is your return policy?"


@pytest.fixture
def faq(tmp_path: Path) -> str:
    path = tmp_path / "faq.yaml"
    path.write_text(FAQ, encoding="utf-8")
    return str(path)


@pytest.fixture
def client(faq: str) -> Iterator[openai.OpenAI]:
    with Scripted(faq), openai.OpenAI() as client:
        yield client


def ask(client: openai.OpenAI, prompt: str = BASIC, question: str = QUESTION, **more: Any) -> Any:
    messages: Any = [{"role": "system", "content": prompt}, {"role": "user", "content": question}]
    return client.chat.completions.create(
        **{"model": "gpt-4o-mini", "messages": messages, "temperature": 0, **more}
    )


def text_of(completion: Any) -> str:
    return str(completion.choices[0].message.content)


def test_it_says_who_it_is(faq, monkeypatch):
    """Honest on screen and in every reply, whatever model was asked for."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Scripted(faq) as provider, openai.OpenAI() as client:
        completion = ask(client)
        assert [model.id for model in client.models.list()] == ["vcmp-scripted"]
        address = os.environ["OPENAI_BASE_URL"]
        assert address == os.environ["OPENAI_API_BASE"]

    assert completion.model == "vcmp-scripted"
    assert provider.answerer.scripted
    assert provider.answerer.description == "scripted demo, no language model was called"
    assert "OPENAI_API_KEY" not in os.environ
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/models")


def test_the_prompt_sets_the_tone(client):
    """So that two prompts can be compared without a model."""
    assert text_of(ask(client)) == (
        "You can return items within 30 days. Return shipping is free. Refunds take 5 days. "
        "Open My Orders. Choose Return items."
    )
    assert text_of(ask(client, WARM)) == (
        "I'm so sorry about this. I understand how frustrating this must be. It is a pity.\n"
        "You can return items within 30 days. Return shipping is free.\n"
        "1. Open My Orders.\n2. Choose Return items.\n3. Print the label.\n"
        "Good to know: Refunds take 5 days.\n"
        "I'm here for you, so please tell me if anything is unclear."
    )
    assert text_of(ask(client, "Be concise.")) == (
        "You can return items within 30 days. Return shipping is free."
    )
    assert text_of(ask(client, "Answer in one short sentence.")) == (
        "You can return items within 30 days."
    )


def test_a_question_it_does_not_know_gets_an_honest_answer(client):
    """Not some entry or other."""
    assert text_of(ask(client, question="Do fish sleep?")).startswith(
        "I do not have information about that."
    )


def test_max_tokens_cut_the_answer_where_usage_says(client):
    """Both names of the limit count."""
    for name in ("max_tokens", "max_completion_tokens"):
        completion = ask(client, **{name: 5})
        assert completion.choices[0].finish_reason == "length"
        assert completion.usage.completion_tokens == 5
        assert text_of(ask(client)).startswith(text_of(completion))

    whole = ask(client, max_tokens=500)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


def test_at_temperature_0_an_answer_never_varies(client):
    """As one expects of a model, and rarely gets."""
    assert len({text_of(ask(client, WARM)) for _ in range(20)}) == 1


def test_repeats_vary_and_a_second_run_repeats_them(faq):
    """The k-th request of one body gets the k-th variation, so a run can be repeated."""

    def run(seed: int) -> list[str]:
        with Scripted(faq), openai.OpenAI() as client:
            return [text_of(ask(client, WARM, temperature=1, seed=seed)) for _ in range(12)]

    first = run(1)

    assert len(set(first)) > 2
    assert run(1) == first
    assert run(2) != first


def test_chat_completions_stream(client):
    """The same text in pieces, and usage for who asks for it."""
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == text_of(ask(client))
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0


def test_the_responses_api_answers_alike(client):
    """Instructions are the system prompt."""
    response = client.responses.create(
        model="m", instructions=WARM, input=QUESTION, temperature=0, max_output_tokens=20
    )

    assert response.status == "incomplete"
    assert response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage
    assert response.usage.output_tokens == 20
    assert text_of(ask(client, WARM)).startswith(response.output_text)


def test_the_responses_api_streams(client):
    """The SDK's own accumulator puts the events together."""
    messages: Any = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]
    with client.responses.stream(model="m", input=messages, temperature=0) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_response()

    assert events[0] == "response.created"
    assert events[-1] == "response.completed"
    assert final.output_text == text_of(ask(client))


def test_a_tool_is_called_for_an_order_number_and_then_the_answer_given(client):
    """The two steps of an agent with a tool; without a number there is nothing to look up."""
    tool = {
        "type": "function",
        "function": {
            "name": "find",
            "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
        },
    }
    asked = ask(client, question="Where is order #10482?", tools=[tool]).choices[0]
    (call,) = asked.message.tool_calls
    told = client.chat.completions.create(
        model="m",
        messages=[
            {"role": "user", "content": "Where is order #10482?"},
            asked.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": '{"status": "packed"}'},
        ],
    )

    assert (asked.finish_reason, asked.message.content) == ("tool_calls", None)
    assert json.loads(call.function.arguments) == {"order_id": "10482"}
    assert "Status: packed" in text_of(told)
    assert ask(client, tools=[tool]).choices[0].finish_reason == "stop"
    assert ask(client, tools=[tool], tool_choice="required").choices[0].message.tool_calls
    streamed = ask(client, question="Where is order 10482?", tools=[tool], stream=True)
    assert any(chunk.choices[0].delta.tool_calls for chunk in streamed)


def test_a_schema_is_followed(client):
    """An agent may want JSON, too."""
    schema = {
        "type": "object",
        "properties": {
            "reply": {"type": "string"},
            "mood": {"enum": ["calm", "angry"]},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
            "part": {"$ref": "#/$defs/part"},
        },
        "$defs": {"part": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    reply = json.loads(text_of(ask(client, response_format=form)))

    assert reply["reply"].startswith("You can return")
    assert reply | {"reply": ""} == {"reply": "", "mood": "calm", "parts": [], "part": {"n": 0}}
    assert json.loads(text_of(ask(client, response_format={"type": "json_object"})))["answer"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "'messages' must be a list with at least one message"),
        ({"temperature": 3}, "'temperature' is 3, not between 0 and 2"),
        ({"temperature": "hot"}, "'temperature' is 'hot', not a number"),
        ({"max_tokens": 0}, "'max_tokens' is 0, not a whole number above 0"),
    ],
)
def test_a_bad_request_is_refused_as_the_api_does(client, change, message):
    """A mistake in an agent shows without a key, too."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **change)
    assert caught.value.body["message"] == message
    assert caught.value.body["type"] == "invalid_request_error"
    assert caught.value.param == next(iter(change))


def test_what_it_does_not_offer_is_not_found(client):
    """Not an empty answer."""
    with pytest.raises(openai.NotFoundError, match="unknown address: POST /v1/embeddings"):
        client.embeddings.create(model="m", input="x")


def test_many_connections_are_served_at_once(faq):
    """As wide as the loop may get."""

    async def run() -> int:
        async with openai.AsyncOpenAI(max_retries=0) as client:
            asked = (
                client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": f"{n} return"}]
                )
                for n in range(256)
            )
            return len(await asyncio.gather(*asked))

    with Scripted(faq):
        assert asyncio.run(run()) == 256


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "- id: x\n  facts: [a]\n",
            "entry 1 has no 'keywords'.\n  It needs id, keywords and facts.",
        ),
        ("- text\n", "entry 1 is not a mapping"),
    ],
)
def test_an_faq_that_cannot_be_used_is_refused(tmp_path, content, message):
    """At the start, with the place of the mistake."""
    path = tmp_path / "faq.yaml"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        Scripted(str(path))

    assert str(caught.value) == f"provider=scripted: {path}: {message}"


def test_an_faq_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    """Relative paths start at the project folder, and the message says so."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Scripted("agents/fqa.yaml")
    assert str(caught.value) == (
        "provider=scripted: cannot read faq 'agents/fqa.yaml' (No such file or directory).\n"
        "  Relative paths start at the project folder; choose another: provider.faq=…"
    )

    Path("empty.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Scripted("empty.yaml")
    assert str(caught.value) == "provider=scripted: empty.yaml is not a list of entries"

    Path("broken.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^provider=scripted: broken\.yaml:\d+:\d+: not YAML \("):
        Scripted("broken.yaml")
