"""The tests' own OpenAI-compatible server: the real client finds in it what it expects."""

import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.openai_server import OpenAIServer

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Where is it?"}]}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"order": 7}'},
}


def client_of(server: OpenAIServer, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0, **options)


def test_chat_completion():
    with OpenAIServer() as server, client_of(server) as client:
        reply = client.chat.completions.create(**ASK)

    assert reply.choices[0].message.content == "You asked: Where is it?"
    assert (reply.choices[0].finish_reason, reply.model) == ("stop", "m")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 5)
    [request] = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == "Bearer any"
    assert request["body"] == ASK


def test_chat_completion_streamed():
    with OpenAIServer(lambda *_: "one two  three") as server, client_of(server) as client:
        stream = client.chat.completions.create(
            **ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "one two  three"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 3


def test_responses():
    with OpenAIServer(model="other") as server, client_of(server) as client:
        reply = client.responses.create(model="m", input="Where is it?", instructions="Be kind.")

    assert reply.output_text == "You asked: Where is it?"
    assert (reply.status, reply.model) == ("completed", "other")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 5)


def test_responses_streamed():
    with OpenAIServer() as server, client_of(server) as client:
        asked = [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}]
        with client.responses.stream(model="m", input=asked) as stream:
            kinds = [event.type for event in stream]
            reply = stream.get_final_response()

    assert reply.output_text == "You asked: Why?"
    assert kinds.count("response.output_text.delta") == 3
    assert kinds[-1] == "response.completed"


def test_tool_calls_pass_through():
    with (
        OpenAIServer(lambda *_: {"tool_calls": [CALL]}) as server,
        client_of(server) as client,
    ):
        whole = client.chat.completions.create(**ASK).choices[0]
        with client.chat.completions.stream(**ASK) as stream:
            streamed = stream.get_final_completion().choices[0]
        responses = client.responses.create(model="m", input="?").output
        with client.responses.stream(model="m", input="?") as events:
            responses_streamed = events.get_final_response().output

    for choice in (whole, streamed):
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls[0].function.arguments == '{"order": 7}'
    for [item] in (responses, responses_streamed):
        assert (item.type, item.call_id, item.name) == ("function_call", "call_1", "look_up")


def test_answers_are_cut_at_the_token_limit():
    with OpenAIServer(lambda *_: "a b c") as server, client_of(server) as client:
        chat = client.chat.completions.create(**ASK, max_tokens=2).choices[0]
        reply = client.responses.create(model="m", input="?", max_output_tokens=2)

    assert (chat.message.content, chat.finish_reason) == ("a b", "length")
    assert (reply.output_text, reply.status) == ("a b", "incomplete")
    assert reply.incomplete_details.reason == "max_output_tokens"


def judgement_format(**properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"rationale": {"type": "string"}, **properties}}
    return {"type": "json_schema", "json_schema": {"name": "judgement", "schema": schema}}


@pytest.mark.parametrize(
    ("name", "rule", "expected"),
    [
        ("result", {"type": "string", "enum": ["yes", "no"]}, "yes"),
        ("result", {"type": "boolean"}, True),
        ("result", {"type": "string"}, "yes"),
        ("score", {"type": "integer", "minimum": 1, "maximum": 5}, 5),
        ("score", {"type": "integer", "enum": [1, 2, 3]}, 3),
    ],
)
def test_requests_for_a_judgement_get_the_best_by_default(name, rule, expected):
    wanted = judgement_format(**{name: rule})
    with OpenAIServer() as server, client_of(server) as client:
        reply = client.chat.completions.create(**ASK, response_format=wanted)

    judgement = json.loads(reply.choices[0].message.content)
    assert judgement == {"rationale": "It does what was asked.", name: expected}
    assert (len(server.judged), len(server.answered)) == (1, 0)


def test_a_judge_may_be_given_and_mlflow_s_prompts_are_judged_too():
    """MLflow's judges ask for their JSON in words."""
    prompt = 'Reply with {\n  "rationale": "Reason",\n  "result": "yes|no"\n}'
    messages = [{"role": "user", "content": prompt}]
    with (
        OpenAIServer(judge=lambda _: {"rationale": "Rude.", "result": "no"}) as server,
        client_of(server) as client,
    ):
        reply = client.chat.completions.create(model="m", messages=messages)

    assert json.loads(reply.choices[0].message.content)["result"] == "no"


def test_mlflow_s_own_judge_understands_the_server():
    code = """
import os
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_MODEL_CATALOG_URI": ""}
from mlflow.genai.scorers import RelevanceToQuery
feedback = RelevanceToQuery(model="openai:/m")(inputs={"question": "?"}, outputs="!")
print(feedback.value, feedback.rationale)
"""
    with OpenAIServer() as server:
        env = {"OPENAI_API_KEY": "any", "OPENAI_API_BASE": server.base_url, "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
        )

    assert done.stdout.startswith("yes"), done.stderr
    assert [request["judge"] for request in server.requests] == [True]


def test_many_connections_at_once():
    """64 in flight, each connection kept for its next request."""

    async def ask(server: OpenAIServer) -> list[str]:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
            replies = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": str(number)}]
                    )
                    for number in range(128)
                )
            )
        return [reply.choices[0].message.content for reply in replies]

    with OpenAIServer(delay_s=0.3) as server:
        texts = asyncio.run(ask(server))

    assert texts == [f"You asked: {number}" for number in range(128)]
    assert len(server.requests) == 128
    assert server.peak >= 64


def test_async_streams():
    async def ask(server: OpenAIServer) -> str:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    with OpenAIServer() as server:
        assert asyncio.run(ask(server)) == "You asked: Where is it?"


# Faults


def test_statuses_come_with_headers_and_only_when_told():
    def faults(index: int, _: Any) -> Any:
        return (
            ("status", 429, {"Retry-After": "0"}, {"error": {"message": "slow"}})
            if not index
            else None
        )

    with OpenAIServer(faults=faults) as server, client_of(server) as client:
        with pytest.raises(openai.RateLimitError, match="slow") as caught:
            client.chat.completions.create(**ASK)
        client.chat.completions.create(**ASK)

    assert caught.value.response.headers["retry-after"] == "0"


@pytest.mark.parametrize("fault", [("reset",), ("cut",)])
@pytest.mark.parametrize("stream", [False, True])
def test_broken_connections(fault, stream):
    with (
        OpenAIServer(faults=lambda *_: fault) as server,
        client_of(server) as client,
        pytest.raises(Exception, match=r"[Cc]onnection|peer|reset"),
    ):
        list(client.chat.completions.create(**ASK, stream=stream))

    assert len(server.requests) == 1


def test_hanging_and_leaving():
    """Leaving does not wait for a fault to end."""
    with OpenAIServer(faults=lambda *_: ("hang", 60)) as server, client_of(server) as client:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.2).chat.completions.create(**ASK)
        begun = time.monotonic()

    assert time.monotonic() - begun < 2


def test_dripping_outlasts_a_read_timeout():
    """Each byte renews the timeout of the client, so only a wall clock ends such a call."""
    with (
        OpenAIServer(lambda *_: "Hi", faults=lambda *_: ("drip", 0.002)) as server,
        client_of(server, timeout=0.3) as client,
    ):
        begun = time.monotonic()
        reply = client.chat.completions.create(**ASK)

    assert reply.choices[0].message.content == "Hi"
    assert time.monotonic() - begun > 0.5


def test_unknown_paths_and_the_list_of_models():
    with OpenAIServer() as server, client_of(server) as client:
        assert [model.id for model in client.models.list()] == ["any"]
        with pytest.raises(openai.NotFoundError, match="no such path: /v1/embeddings"):
            client.embeddings.create(model="m", input="?")


def test_an_error_in_an_answer_is_told_to_the_client_and_to_the_test():
    """A slip in a test must not pass for a failure of the server that was asked for."""

    def fail_to_answer() -> None:
        with (
            OpenAIServer(lambda *_: 1 / 0) as server,
            client_of(server) as client,
            pytest.raises(openai.InternalServerError, match="ZeroDivisionError"),
        ):
            client.chat.completions.create(**ASK)

    with pytest.raises(ZeroDivisionError):
        fail_to_answer()


def test_a_misspelt_fault_is_told_to_the_test():
    def use_it() -> None:
        with (
            OpenAIServer(faults=lambda *_: ("stauts", 500)) as server,
            client_of(server) as client,
            pytest.raises(openai.APIConnectionError),
        ):
            client.chat.completions.create(**ASK)

    with pytest.raises(ValueError, match="no such fault: \\('stauts', 500\\)"):
        use_it()


def test_leaving_with_idle_connections_leaves_nothing_open():
    """Warnings of unclosed sockets are errors here."""
    with OpenAIServer() as server:
        clients = [client_of(server) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda client: client.chat.completions.create(**ASK), clients))

    assert len(server.answered) == 8
    for client in clients:
        client.close()
