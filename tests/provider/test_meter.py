"""Requests of the real openai SDK, against a server on the loopback that misbehaves on demand."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from queue import SimpleQueue
from typing import Any

import openai
import pytest

from tests.openai_server import OpenAIServer
from vcmp.calls import Call, collect
from vcmp.provider import StoppedError, meter
from vcmp.types import Budget, Limits

MESSAGES: Any = [{"role": "user", "content": "Where is my package?"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
ANSWER = {"model": "gpt-4o-mini", "messages": MESSAGES}


class Brake:
    def __init__(self, pulled: Callable[[], bool] = lambda: False) -> None:
        self.pulled = pulled
        self.reasons: list[str] = []

    def requested(self) -> bool:
        return self.pulled() or bool(self.reasons)

    def stop(self, reason: str, mend: str = "") -> None:
        self.reasons.append(reason)


@contextmanager
def metered(
    server: OpenAIServer, *, stopping: Callable[[], bool] = lambda: False, **limits: Any
) -> Iterator[tuple[openai.OpenAI, list[Call]]]:
    with (
        server,
        openai.OpenAI(base_url=server.base_url, api_key="any") as client,
        meter(Limits(**limits), Brake(stopping)),
        collect() as calls,
    ):
        yield client, calls


def run_async(server: OpenAIServer, ask: Callable[[Any], Any], **limits: Any) -> list[Call]:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
            await ask(client)

    with server, meter(Limits(**limits), Brake()), collect() as calls:
        asyncio.run(run())
    return calls


def first_fails(*fault: Any, times: int = 1) -> Callable[[int, Any], Any]:
    return lambda number, _body: fault if number < times else None


def refused(status: int, code: str = "", **headers: str) -> tuple[Any, ...]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return ("status", status, names, json.dumps({"error": {"message": "no", "code": code}}))


def body_of(**reply: Any) -> tuple[Any, ...]:
    return ("status", 200, {"Content-Type": "application/json"}, json.dumps(reply))


def test_a_sync_request_is_recorded_whole():
    """What an agent asked and got is in the results without the agent's doing."""
    with metered(OpenAIServer(lambda *_: "It is on its way.")) as (client, calls):
        client.chat.completions.create(**ANSWER, temperature=0.2)

    (call,) = calls
    assert call.api == "chat.completions"
    assert call.request == {**ANSWER, "temperature": 0.2}
    assert call.response["choices"][0]["message"]["content"] == "It is on its way."
    assert (call.finish, call.attempts, call.error) == ("stop", 1, "")
    assert call.requested_model == call.model == "gpt-4o-mini"
    assert call.input_tokens
    assert call.output_tokens
    assert 0 < call.latency_s < 5
    assert call.waited_s < 0.1
    assert call.cost_usd


def test_an_async_request_is_recorded_by_the_model_that_answered():
    """An alias hides which model one pays for."""

    async def ask(client: Any) -> None:
        await client.chat.completions.create(model="fast", messages=MESSAGES)

    (call,) = run_async(OpenAIServer(model="gpt-4o-mini"), ask)

    assert (call.requested_model, call.model) == ("fast", "gpt-4o-mini")
    assert call.cost_usd


def test_interleaved_cases_keep_their_own_calls():
    """Calls travel with the case that made them."""

    async def case(client: Any, text: str) -> list[Call]:
        with collect() as calls:
            message = {"role": "user", "content": text}
            stream = await client.chat.completions.create(
                model="m", messages=[message], stream=True
            )
            async for _ in stream:
                pass
        return calls

    async def both() -> list[list[Call]]:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
            return await asyncio.gather(case(client, "one"), case(client, "two"))

    with OpenAIServer() as server, meter(Limits(), Brake()):
        found = asyncio.run(both())

    assert [[c.request["messages"][0]["content"] for c in calls] for calls in found] == [
        ["one"],
        ["two"],
    ]


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_is_recorded_when_it_has_ended(usage):
    """Tokens are known only where the server was asked to count them."""
    with metered(OpenAIServer(lambda *_: "It is on its way.")) as (client, calls):
        options: Any = {"stream_options": {"include_usage": True}} if usage else {}
        stream = client.chat.completions.create(**ANSWER, stream=True, **options)
        assert calls == []
        list(stream)

    (call,) = calls
    assert call.response == {"content": "It is on its way."}
    assert (call.finish, call.model) == ("stop", "gpt-4o-mini")
    assert (call.output_tokens is not None) == usage


def test_an_async_stream_that_is_closed_early_is_recorded():
    """It was asked for, and is paid for."""

    async def ask(client: Any) -> None:
        async with await client.chat.completions.create(**ANSWER, stream=True) as stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break

    (call,) = run_async(OpenAIServer(lambda *_: "It is on its way."), ask)

    assert call.response["content"]
    assert call.finish == ""


def test_a_stream_behind_a_raw_response_is_recorded():
    """Frameworks read the headers first."""
    with metered(OpenAIServer(lambda *_: "Hello.")) as (client, calls):
        raw = client.chat.completions.with_raw_response.create(**ANSWER, stream=True)
        list(raw.parse())
        client.chat.completions.with_raw_response.create(**ANSWER)

    assert [call.finish for call in calls] == ["stop", "stop"]


def test_the_responses_api_is_recorded_in_the_same_words():
    """A gate on tokens or on cut answers does not depend on the API."""
    with metered(OpenAIServer(lambda *_: "Hello.")) as (client, calls):
        client.responses.create(model="gpt-4o-mini", input="Hi")
        list(client.responses.create(model="gpt-4o-mini", input="Hi", stream=True))

    assert [call.api for call in calls] == ["responses", "responses"]
    assert [call.finish for call in calls] == ["stop", "stop"]
    assert all(call.output_tokens and call.model == "gpt-4o-mini" for call in calls)


def test_a_cut_response_says_length():
    """ "max_output_tokens" and "length" are one thing."""
    reply = body_of(
        id="r", object="response", status="incomplete", model="m", output=[],
        incomplete_details={"reason": "max_output_tokens"},
    )  # fmt: skip
    with metered(OpenAIServer(faults=first_fails(*reply))) as (client, calls):
        client.responses.create(model="m", input="Hi")

    assert calls[0].finish == "length"


def test_tool_calls_are_recorded():
    """Both steps of an agent with tools are calls."""
    wanted = [{"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]
    with metered(OpenAIServer(lambda *_: {"tool_calls": wanted})) as (client, calls):
        client.chat.completions.create(**ANSWER, tools=[TOOL])
        list(client.chat.completions.create(**ANSWER, tools=[TOOL], stream=True))

    assert [call.finish for call in calls] == ["tool_calls", "tool_calls"]
    assert calls[1].response["tool_calls"][0]["name"] == "look_up"


@pytest.mark.parametrize("choices", [None, []])
def test_a_reply_without_choices_is_asked_for_again(choices):
    """Some gateways answer 200 and nothing."""
    reply = body_of(id="c", object="chat.completion", model="m", choices=choices, usage=None)
    server = OpenAIServer(faults=first_fails(*reply, times=3))
    with metered(server) as (client, calls), pytest.raises(ValueError, match="has no choices"):
        client.chat.completions.create(**ANSWER)

    assert len(server.requests) == 3
    assert (calls[0].failure, calls[0].attempts) == ("reply", 3)
    assert calls[0].error == "BrokenReplyError: the reply has no choices"


def test_embeddings_count_their_input_and_no_output():
    """Vectors are not kept in the results."""
    reply = body_of(
        object="list", model="e", data=[{"object": "embedding", "index": 0, "embedding": [0.5]}],
        usage={"prompt_tokens": 3, "total_tokens": 3},
    )  # fmt: skip
    with metered(OpenAIServer(faults=first_fails(*reply))) as (client, calls):
        client.embeddings.create(model="e", input="hello", encoding_format="float")

    (call,) = calls
    assert (call.api, call.input_tokens, call.output_tokens) == ("embeddings", 3, 0)
    assert "data" not in call.response


def test_retry_after_is_the_least_that_is_waited():
    """The server knows when it is worth asking again."""
    server = OpenAIServer(faults=first_fails(*refused(429, retry_after_ms="600")))
    with metered(server) as (client, calls):
        client.chat.completions.create(**ANSWER)

    (call,) = calls
    assert call.attempts == 2
    assert 0.6 <= call.waited_s < 2
    assert call.latency_s < 0.5
    assert server.requests[1]["time"] - server.requests[0]["time"] >= 0.6


def test_retry_after_may_be_a_date():
    """The other form that HTTP allows."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server = OpenAIServer(faults=first_fails(*refused(503, retry_after=soon)))
    with metered(server) as (client, calls):
        client.chat.completions.create(**ANSWER)

    assert calls[0].attempts == 2
    assert calls[0].waited_s > 0.5


def test_a_wait_longer_than_the_case_is_not_begun():
    """The case would be over before the next attempt."""
    server = OpenAIServer(faults=first_fails(*refused(429, retry_after="900")))
    with (
        metered(server, case_deadline_s=5) as (client, calls),
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(**ANSWER)

    assert calls[0].attempts == len(server.requests) == 1


@pytest.mark.parametrize("fault", [refused(500), refused(408), ("reset",), ("cut",)])
def test_what_may_pass_is_tried_again(fault):
    """One retry layer, ours: the SDK's own are off, so attempts do not multiply."""
    server = OpenAIServer(faults=first_fails(*fault))
    with metered(server) as (client, calls):
        client.chat.completions.create(**ANSWER)

    assert (calls[0].attempts, calls[0].error, len(server.requests)) == (2, "", 2)


def test_attempts_are_bounded():
    """The failure is one call with its error, and the agent sees the SDK's own exception."""
    server = OpenAIServer(faults=lambda *_: refused(500, retry_after_ms="1"))
    with metered(server, attempts=2) as (client, calls), pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**ANSWER)

    (call,) = calls
    assert len(server.requests) == call.attempts == 2
    assert call.error.startswith("InternalServerError: Error code: 500")
    assert call.input_tokens is None
    assert call.cost_usd is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refused(429, "insufficient_quota"), openai.RateLimitError),
        (refused(401, "invalid_api_key"), openai.AuthenticationError),
        (refused(400), openai.BadRequestError),
    ],
)
def test_what_no_waiting_mends_is_not_tried_again(fault, error):
    """An empty account stays empty, whatever its status code."""
    server = OpenAIServer(faults=lambda *_: fault)
    with metered(server) as (client, calls), pytest.raises(error):
        client.chat.completions.create(**ANSWER)

    assert len(server.requests) == calls[0].attempts == 1


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_a_reply_that_is_not_json_is_tried_again(kind):
    """A proxy's error page with status 200 is no answer."""
    garbled = ("status", 200, {"Content-Type": kind}, "<html>try later</html>")
    with metered(OpenAIServer(faults=first_fails(*garbled))) as (client, calls):
        client.chat.completions.create(**ANSWER)
    assert calls[0].attempts == 2

    server = OpenAIServer(faults=lambda *_: garbled)
    with metered(server, attempts=1) as (client, calls), pytest.raises(json.JSONDecodeError):
        client.chat.completions.create(**ANSWER)
    assert calls[0].error.startswith("JSONDecodeError: ")


def test_an_async_attempt_ends_at_its_deadline_however_it_drips():
    """The SDK's timeout starts anew with every byte."""

    async def ask(client: Any) -> None:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(**ANSWER)

    server = OpenAIServer(faults=lambda *_: ("drip", 0.1))
    (call,) = run_async(server, ask, call_deadline_s=0.5, attempts=1)

    assert 0.5 <= call.latency_s < 2
    assert call.error == "APITimeoutError: Request timed out."


def test_an_async_stream_ends_at_the_deadline_too():
    """The whole reply counts, not its first byte."""

    async def ask(client: Any) -> None:
        stream = await client.chat.completions.create(**ANSWER, stream=True)
        with pytest.raises(openai.APITimeoutError):
            async for _ in stream:
                pass
        await stream.close()

    server = OpenAIServer(faults=lambda *_: ("drip", 0.01))
    (call,) = run_async(server, ask, call_deadline_s=0.8)

    assert call.latency_s < 2
    assert call.error == "APITimeoutError: Request timed out."


def test_a_sync_attempt_that_hangs_ends_at_its_deadline():
    """A client's own longer timeout does not count; the deadline of the run does."""
    with (
        metered(OpenAIServer(faults=lambda *_: ("hang", 3)), call_deadline_s=0.3, attempts=1) as (
            client,
            calls,
        ),
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(**ANSWER)

    assert calls[0].latency_s < 1.5


def test_a_cancelled_request_is_recorded():
    """It may have been answered, and paid for."""

    async def ask(client: Any) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chat.completions.create(**ANSWER), 0.2)

    (call,) = run_async(OpenAIServer(delay_s=1), ask)

    assert call.error == "CancelledError"


def test_nothing_is_sent_while_stopping():
    """After Ctrl-C no further call is paid for."""
    server = OpenAIServer()
    with (
        metered(server, stopping=lambda: True) as (client, calls),
        pytest.raises(StoppedError, match=r"^the evaluation is being stopped, no request is sent$"),
    ):
        client.chat.completions.create(**ANSWER)

    assert server.requests == []
    assert calls == []


def test_a_retry_is_not_sent_while_stopping():
    """What was sent before is still recorded."""
    server = OpenAIServer(faults=lambda *_: refused(500))
    with (
        metered(server, stopping=lambda: bool(server.requests)) as (client, calls),
        pytest.raises(StoppedError),
    ):
        client.chat.completions.create(**ANSWER)

    assert len(server.requests) == calls[0].attempts == 1
    assert calls[0].error.startswith("StoppedError: ")


def test_leaving_gives_the_sdk_back():
    """What follows the run is none of the meter's business."""
    from openai._base_client import AsyncAPIClient, SyncAPIClient

    def methods() -> list[Any]:
        started = threading.Thread.start, ThreadPoolExecutor.submit
        return [SyncAPIClient.request, AsyncAPIClient.request, *started]

    before = methods()
    with meter(Limits(), Brake()):
        assert not set(before) & set(methods())

    assert methods() == before


def test_a_thread_that_outlives_its_case_may_work_for_others():
    """It is no late answer of the case in which it happened to be started."""
    questions: SimpleQueue[Any] = SimpleQueue()
    server = OpenAIServer()
    with metered(server) as (client, calls):

        def serve() -> None:
            while done := questions.get():
                with suppress(StoppedError):
                    client.chat.completions.create(**ANSWER)
                done.set()

        worker = threading.Thread(target=serve)
        found = []
        for _ in range(2):
            with collect() as own:
                if worker.ident is None:
                    worker.start()
                questions.put(done := threading.Event())
                assert done.wait(10)
            found.append(len(own))
        questions.put(None)
        worker.join()

    assert (found, calls) == ([1, 0], [])
    assert len(server.requests) == 2


def test_a_client_can_be_used_in_one_event_loop_after_another():
    """An agent is evaluated twice in one process: its idle connections end with the first loop."""
    client = openai.AsyncOpenAI(base_url="http://127.0.0.1:1/v1", api_key="any")

    async def ask() -> Any:
        asked = (client.chat.completions.create(**ANSWER) for _ in range(8))
        return await asyncio.gather(*asked)

    with OpenAIServer() as server, meter(Limits(), Brake()), collect() as calls:
        client.base_url = server.base_url
        for _ in range(3):
            asyncio.run(ask())

    assert [call.error for call in calls] == [""] * 24


def test_a_stream_that_nobody_reads_holds_no_budget_for_ever():
    """What is set aside for it would never be settled."""
    brake = Brake()
    with (
        OpenAIServer() as server,
        openai.OpenAI(base_url=server.base_url, api_key="any") as client,
        meter(Limits(call_deadline_s=0.5), brake, Budget(calls=1)),
    ):
        unread = client.chat.completions.create(**ANSWER, stream=True)
        with pytest.raises(StoppedError):
            client.chat.completions.create(**ANSWER)
        unread.close()

    assert brake.reasons == ["budget: the 1 of budget.calls are made"]
    assert len(server.requests) == 1
