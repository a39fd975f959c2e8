"""Requests of the real `requests` library, as MLflow's judges send them, within the meter."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.openai_server import OpenAIServer
from tests.provider.test_meter import Brake, body_of, first_fails, refused
from vcmp.calls import Call, collect, scoring
from vcmp.provider import StoppedError, meter
from vcmp.provider.metering.failures import GivenUpError
from vcmp.types import Budget, Limits

QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Is it?"}]}


@contextmanager
def metered(
    server: OpenAIServer, brake: Brake | None = None, budget: Budget | None = None, **limits: Any
) -> Iterator[list[Call]]:
    with (
        server,
        meter(Limits(**limits), brake or Brake(), budget),
        collect() as calls,
        scoring(),
    ):
        yield calls


def post(server: OpenAIServer, body: Any = QUESTION, path: str = "/chat/completions") -> Any:
    return requests.post(f"{server.base_url}{path}", json=body, timeout=30)


def test_what_a_scorer_asks_is_a_call():
    server = OpenAIServer(lambda *_: "Yes.")
    with metered(server) as calls:
        reply = post(server)

    (call,) = calls
    assert reply.json()["model"] == "gpt-4o-mini"
    assert (call.api, call.requested_model, call.model) == (
        "chat.completions", "gpt-4o-mini", "gpt-4o-mini",
    )  # fmt: skip
    assert None not in (call.input_tokens, call.output_tokens, call.cost_usd)
    assert call.request == QUESTION


@pytest.mark.parametrize(
    "body",
    [
        {"experiment_id": "1", "tags": [{"key": "a", "value": "b"}]},
        {"model": "a", "model_id": "b", "params": []},
        {"model": "a"},
    ],
)
def test_what_asks_no_model_is_none(body: Any):
    """As what goes to MLflow's store."""
    server = OpenAIServer()
    with metered(server, budget=Budget(calls=1)) as calls:
        for _ in range(2):
            assert post(server, body, "/api/2.0/mlflow/runs/update").status_code == 404

    assert calls == []


def test_what_an_agent_sends_by_itself_is_its_own():
    """It has its own way of trying again, and is not to meet errors it does not know."""
    server = OpenAIServer(faults=lambda *_: refused(429))
    with metered(server) as calls, scoring(False):
        assert post(server).status_code == 429

    assert (len(server.requests), calls) == (1, [])


def test_a_refusal_that_may_pass_is_asked_again_and_then_given_up():
    server = OpenAIServer(faults=lambda *_: refused(500))
    with metered(server, attempts=2) as calls, pytest.raises(GivenUpError) as raised:
        post(server)

    assert str(raised.value) == "given up: 500 Internal Server Error: no"
    assert len(server.requests) == 2
    assert [(call.failure, call.attempts) for call in calls] == [("server", 2)]


def test_a_refusal_that_passes_is_got_over():
    server = OpenAIServer(faults=first_fails("reset"))
    with metered(server) as calls:
        assert post(server).status_code == 200

    assert [(call.failure, call.attempts) for call in calls] == [("", 2)]


def test_a_refusal_for_good_is_handed_over():
    """MLflow asks anew without a schema when it reads that a model takes none."""
    server = OpenAIServer(faults=lambda *_: refused(400))
    with metered(server) as calls:
        assert post(server).status_code == 400

    assert len(server.requests) == 1
    assert [call.failure for call in calls] == ["request"]


def test_a_redirection_is_handed_over_and_not_followed():
    """What it leads to would be asked unseen."""
    there = {"Location": "http://127.0.0.1:9/v1/chat/completions"}
    server = OpenAIServer(faults=lambda *_: ("status", 307, there, "{}"))
    with metered(server) as calls:
        reply = post(server)

    (call,) = calls
    assert (reply.status_code, len(server.requests)) == (307, 1)
    assert call.error == (
        "RefusedError: 307 Temporary Redirect: the server sends requests on to"
        " http://127.0.0.1:9/v1/chat/completions. Give the provider that address"
    )


def test_an_account_that_is_empty_stops_everything():
    brake = Brake()
    server = OpenAIServer(faults=lambda *_: refused(429, "insufficient_quota"))
    with metered(server, brake) as calls:
        for _ in range(3):
            with pytest.raises(GivenUpError):
                post(server)
        with pytest.raises(StoppedError):
            post(server)

    assert len(server.requests) == 3
    assert [call.failure for call in calls] == ["quota"] * 3
    assert brake.reasons[0].startswith("provider: 3 calls in a row failed, the account has nothing")


def test_nothing_is_sent_once_the_brake_is_pulled():
    server = OpenAIServer()
    with metered(server, Brake(lambda: True)), pytest.raises(StoppedError):
        post(server)

    assert server.requests == []


def test_a_reply_that_drips_ends_at_the_deadline():
    server = OpenAIServer(faults=lambda *_: ("drip", 0.5))
    with metered(server, attempts=1, call_deadline_s=0.5) as calls:
        began = time.monotonic()
        with pytest.raises(GivenUpError, match="given up: no reply before the deadline"):
            post(server)
        took = time.monotonic() - began
        server.closing.set()

    assert took < 10
    assert [call.failure for call in calls] == ["timeout"]


def test_a_reply_without_choices_is_none():
    server = OpenAIServer(faults=lambda *_: body_of(object="chat.completion", choices=[]))
    with (
        metered(server, attempts=2) as calls,
        pytest.raises(ValueError, match="the reply has no choices"),
    ):
        post(server)

    assert [(call.failure, call.attempts) for call in calls] == [("reply", 2)]


def test_the_library_is_as_it_was():
    send = requests.Session.send
    with metered(OpenAIServer()):
        assert requests.Session.send is not send
    assert requests.Session.send is send
