"""What the real OpenAI client makes of every fault: by both APIs, whole and streamed."""

import email.utils
import json
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from tests.testing.conftest import ASK, ASK_RESPONSES, ClientOf, post
from vcmp.provider.loopback.shapes import Reply, chat_chunks
from vcmp.testing import Fault, FaultServer, faults

HALF = "The answer begins well, but"
NO = "I cannot help with that."
ODD = "lone \ud83d surrogate, NUL \x00, escape \x1b[31m, turned \u202e round"
BROKEN = '{"rationale": "It does what was asked", "score": 1,'
ECHO = "The answer to question 62164894."

# content, refusal, finish_reason
ANSWERS = {
    "answer": (ECHO, None, "stop"),
    "other_model": (ECHO, None, "stop"),
    "no_usage": (ECHO, None, "stop"),
    "late": (ECHO, None, "stop"),
    "drip": (ECHO, None, "stop"),
    "refusal": (None, NO, "stop"),
    "filtered": (HALF, None, "content_filter"),
    "truncated": (HALF, None, "length"),
    "empty": ("", None, "stop"),
    "null_content": (None, None, "stop"),
    "invalid_json": (BROKEN, None, "stop"),
    "odd_characters": (ODD, None, "stop"),
}
REFUSALS = {
    "rate_limit": (openai.RateLimitError, 429, "rate_limit_exceeded"),
    "insufficient_quota": (openai.RateLimitError, 429, "insufficient_quota"),
    "unauthorized": (openai.AuthenticationError, 401, "invalid_api_key"),
    "forbidden": (openai.PermissionDeniedError, 403, "forbidden"),
    "model_not_found": (openai.NotFoundError, 404, "model_not_found"),
    "server_error": (openai.InternalServerError, 500, None),
}
TESTED_ALONE = {"null_choices", "no_choices", "large", "html_with_200", "error_with_200",
                "broken_json", "reset", "cut_body", "hang"}  # fmt: skip


def fault_of(name: str) -> Fault:
    if name in ("late", "drip"):
        return getattr(faults, name)(0.1)
    return getattr(faults, name)()


def test_every_fault_is_tested():
    """Here or, what goes wrong on the wire, in `test_wire`."""
    assert {*ANSWERS, *REFUSALS, *TESTED_ALONE} == set(faults.__all__)
    assert faults.__all__ == sorted(faults.__all__)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_chat_completion(name: str, client_of: ClientOf):
    with FaultServer([fault_of(name)]) as server:
        reply = client_of(server).chat.completions.create(**ASK)

    [choice] = reply.choices
    said = (choice.message.content, choice.message.refusal, choice.finish_reason)
    assert said == ANSWERS[name]
    assert [request.fault for request in server.requests] == [name]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_chat_completion_streamed(name: str, client_of: ClientOf):
    """Joined, the pieces are what the whole answer holds."""
    with FaultServer([fault_of(name)]) as server:
        chunks = list(client_of(server).chat.completions.create(**ASK, stream=True))

    deltas = [chunk.choices[0].delta for chunk in chunks]
    content, refusal, finish = ANSWERS[name]
    assert "".join(delta.content or "" for delta in deltas) == (content or "")
    assert "".join(delta.refusal or "" for delta in deltas) == (refusal or "")
    assert chunks[-1].choices[0].finish_reason == finish


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_response(name: str, streamed: bool, client_of: ClientOf):
    """Its words for the end of an answer are others, its content the same."""
    with FaultServer([fault_of(name)]) as server:
        reply = client_of(server).responses.create(**ASK_RESPONSES, stream=streamed)
        events = list(reply) if streamed else []
    response = events[-1].response if streamed else reply

    content, refusal, finish = ANSWERS[name]
    [part] = response.output[0].content
    assert (part.refusal if refusal else part.text) == (refusal or content)
    reason = {"content_filter": "content_filter", "length": "max_output_tokens"}.get(finish)
    assert response.status == ("incomplete" if reason else "completed")
    assert (response.incomplete_details and response.incomplete_details.reason) == reason
    if streamed:
        kind = f"response.{'refusal' if refusal else 'output_text'}.delta"
        pieces = [event.delta for event in events if event.type == kind]
        assert "".join(pieces) == (refusal or content or "")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_of_the_server(name: str, streamed: bool, client_of: ClientOf):
    error, status, code = REFUSALS[name]

    with FaultServer([fault_of(name)]) as server:
        chat, responses = client_of(server).chat.completions, client_of(server).responses
        with pytest.raises(error) as seen:
            chat.create(**ASK, stream=streamed)
        with pytest.raises(error):
            responses.create(**ASK_RESPONSES, stream=streamed)

    assert (seen.value.status_code, seen.value.code) == (status, code)
    assert "retry-after" not in seen.value.response.headers
    assert server.n_requests == 2


@pytest.mark.parametrize(
    ("form", "header", "value"),
    [("seconds", "retry-after", "1.5"), ("ms", "retry-after-ms", "1500")],
)
def test_a_rate_limit_says_how_long(form: Any, header: str, value: str, client_of: ClientOf):
    with (
        FaultServer([faults.rate_limit(1.5, form)]) as server,
        pytest.raises(openai.RateLimitError) as seen,
    ):
        client_of(server).chat.completions.create(**ASK)

    assert seen.value.response.headers[header] == value


def test_a_rate_limit_says_until_when(client_of: ClientOf):
    """Counted from the reply, not from when the fault was made; never earlier than asked for."""
    fault = faults.rate_limit(retry_after_s=30, form="date")
    time.sleep(0.5)
    asked_s = time.time()
    with FaultServer([fault]) as server, pytest.raises(openai.RateLimitError) as seen:
        client_of(server).chat.completions.create(**ASK)

    moment = email.utils.parsedate_to_datetime(seen.value.response.headers["retry-after"])
    assert 30 <= moment.timestamp() - asked_s <= 60


def test_the_sdk_itself_waits_and_asks_again(client_of: ClientOf):
    with FaultServer([faults.rate_limit(0.3, "ms"), faults.answer("ok")]) as server:
        reply = client_of(server, max_retries=1).chat.completions.create(**ASK)

    assert reply.choices[0].message.content == "ok"
    first, second = server.requests
    assert second.started_s - first.started_s >= 0.3


def test_a_server_error_may_have_another_status(client_of: ClientOf):
    with (
        FaultServer([faults.server_error(502)]) as server,
        pytest.raises(openai.InternalServerError) as seen,
    ):
        client_of(server).chat.completions.create(**ASK)

    assert seen.value.status_code == 502
    assert seen.value.response.headers["content-type"] == "text/html"
    assert "<h1>502 Server Error</h1>" in seen.value.response.text


@pytest.mark.parametrize(("fault", "value"), [("null_choices", None), ("no_choices", [])])
def test_an_answer_without_choices(fault: str, value: Any, client_of: ClientOf):
    """The client takes it; the agent fails on `choices[0]`."""
    with FaultServer([fault_of(fault)]) as server:
        client = client_of(server)
        chat = client.chat.completions.create(**ASK)
        chunks = list(client.chat.completions.create(**ASK, stream=True))
        response = client.responses.create(**ASK_RESPONSES)
        events = list(client.responses.create(**ASK_RESPONSES, stream=True))

    assert chat.choices == value
    assert all(chunk.choices == value for chunk in chunks)
    assert response.output == value
    assert {event.type for event in events} == {
        "response.created",
        "response.in_progress",
        "response.completed",
    }
    assert events[-1].response.output == value


def test_another_model_answers(client_of: ClientOf):
    with FaultServer([faults.answer(), faults.other_model("m-2", "fp_2")]) as server:
        client = client_of(server)
        asked, other = (client.chat.completions.create(**ASK) for _ in range(2))
        [*_, last] = client.chat.completions.create(**ASK, stream=True)

    assert (asked.model, asked.system_fingerprint) == ("m", "fp_testing")
    assert (other.model, other.system_fingerprint) == ("m-2", "fp_2")
    assert (last.model, last.system_fingerprint) == ("m-2", "fp_2")


def test_usage_is_told_unless_told_otherwise(client_of: ClientOf):
    with FaultServer([faults.answer("a b c"), faults.no_usage()]) as server:
        client = client_of(server)
        told = client.chat.completions.create(**ASK)
        untold = client.chat.completions.create(**ASK)
        response = client.responses.create(**ASK_RESPONSES)

    assert told.usage.completion_tokens == 3
    assert told.usage.total_tokens == told.usage.prompt_tokens + 3 > 3
    assert (untold.usage, response.usage) == (None, None)


def test_a_large_answer(client_of: ClientOf):
    """Ten million characters; as a stream no more than a few thousand pieces."""
    with FaultServer([faults.large(), faults.large(1_000_000)]) as server:
        whole = client_of(server).chat.completions.create(**ASK).choices[0].message.content
        stream = client_of(server).chat.completions.create(**ASK, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]

    assert len(whole) == 10_000_000
    assert "".join(pieces) == whole[:1_000_000]
    assert len(pieces) < 5000


def test_the_space_at_the_end_is_streamed_too():
    """What is streamed is what would have been answered whole."""
    chunks = chat_chunks(Reply(id="1", created_s=0, text=" two  words \n"), False)

    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert said == " two  words \n"


def test_html_in_the_place_of_an_answer(client_of: ClientOf):
    """The client hands it on as a text; a stream of it ends before it begins, with no error."""
    with FaultServer([faults.html_with_200()]) as server:
        reply = client_of(server).chat.completions.create(**ASK)
        chunks = list(client_of(server).chat.completions.create(**ASK, stream=True))

    assert isinstance(reply, str)
    assert chunks == []
    assert "<h1>Sign in</h1>" in reply


def test_an_error_in_the_place_of_an_answer(client_of: ClientOf):
    """Whole, nothing raises: the client gives an object without choices. In a stream it raises."""
    with FaultServer([faults.error_with_200()]) as server:
        whole = client_of(server).chat.completions.create(**ASK)
        with pytest.raises(openai.APIError, match="The upstream provider is overloaded"):
            list(client_of(server).chat.completions.create(**ASK, stream=True))

    assert whole.choices is None
    assert whole.error["code"] == "overloaded"


def test_half_a_json_document(client_of: ClientOf):
    with FaultServer([faults.broken_json()]) as server:
        for ask in (ASK, {**ASK, "stream": True}):
            with pytest.raises(json.JSONDecodeError):
                list(client_of(server).chat.completions.create(**ask))


def test_the_default_answer_differs_by_question(client_of: ClientOf):
    """So that a case that was given another's answer is seen."""
    with FaultServer() as server:
        answers = [
            client_of(server).responses.create(model="m", input=question).output_text
            for question in ("Where?", "When?", "Where?")
        ]

    assert answers[0] == answers[2] != answers[1]


def test_the_default_answer_follows_a_schema(client_of: ClientOf):
    """A judge that asks for JSON gets some, unless the fault is that it does not."""
    schema = {
        "type": "object",
        "properties": {"score": {"enum": ["yes", "no"]}, "rationale": {"type": "string"}},
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "judgement", "schema": schema}}
    with FaultServer() as server:
        reply = client_of(server).chat.completions.create(**ASK, response_format=form)

    judgement = json.loads(reply.choices[0].message.content)
    assert judgement == {"score": "yes", "rationale": ECHO}


def test_an_answer_may_be_a_function_of_the_request(client_of: ClientOf):
    fault = faults.answer(lambda request: f"{request.body['model']}: {request.question.upper()}")
    with FaultServer([fault]) as server:
        reply = client_of(server).chat.completions.create(**ASK)

    assert reply.choices[0].message.content == "m: WHERE IS IT?"


def test_models_are_listed_and_not_counted(client_of: ClientOf):
    with FaultServer([faults.unauthorized()]) as server:
        models = [model.id for model in client_of(server).models.list()]

    assert models == ["vcmp-testing"]
    assert server.n_requests == 0


def test_an_unknown_address_is_told():
    """A base URL without `/v1` is the usual mistake."""
    with FaultServer() as server:
        url = server.url.removesuffix("/v1") + "/chat/completions"
        status, reply = post(url, json.dumps(ASK).encode())

    assert status == 404
    assert reply["error"]["message"] == (
        "unknown address: POST /chat/completions; this server has"
        " /v1/chat/completions, /v1/responses, /v1/models"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "the body is not JSON: Expecting property name enclosed in double quotes: "
               "line 1 column 2 (char 1)"),
        (b"[]", "the body is not a JSON object"),
        (b"{}", "'messages' must be a list with at least one message"),
    ],
)  # fmt: skip
def test_a_request_the_api_cannot_read(content: bytes, message: str):
    """It counts, and takes nothing from the script."""
    with FaultServer([faults.unauthorized()]) as server:
        status, reply = post(f"{server.url}/chat/completions", content)
        later, _ = post(f"{server.url}/chat/completions", json.dumps(ASK).encode())

    assert (status, reply["error"]["message"]) == (400, message)
    assert later == 401
    assert [request.fault for request in server.requests] == ["bad_request", "unauthorized"]


def test_a_request_in_chunks():
    """As clients send what they do not know the length of; the connection stays usable."""
    body = json.dumps(ASK).encode()
    with FaultServer() as server:
        connection = HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=20)
        for content in (iter([body[:20], body[20:]]), body):
            connection.request("POST", "/v1/chat/completions", content)
            assert connection.getresponse().read().startswith(b'{"id": "chatcmpl-')
        connection.close()

    assert [request.body for request in server.requests] == [ASK, ASK]
