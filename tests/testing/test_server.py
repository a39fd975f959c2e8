"""Which fault meets which request, and what the server says of both."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from tests.testing.conftest import ASK, ClientOf
from vcmp.testing import Fault, FaultServer, RateLimit, Received, faults


def ask(client: openai.OpenAI, text: str = "?") -> str:
    """What is answered, or the number of the refusal's status."""
    try:
        reply = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": text}]
        )
    except openai.APIStatusError as error:
        return str(error.status_code)
    return str(reply.choices[0].message.content)


def test_a_script_runs_in_order_and_its_last_line_repeats(client_of: ClientOf):
    script = [faults.answer("a"), faults.server_error(503), faults.answer("b")]

    with FaultServer(script) as server:
        answers = [ask(client_of(server)) for _ in range(4)]

    assert answers == ["a", "503", "b", "b"]
    assert server.n_requests == 4
    assert [request.number for request in server.requests] == [0, 1, 2, 3]


def test_a_function_of_the_request_chooses(client_of: ClientOf):
    """By what is asked, so that the order in which cases are run does not matter."""

    def choose(request: Received) -> Fault:
        return faults.forbidden() if "secret" in request.question else faults.answer("ok")

    with FaultServer(choose=choose) as server:
        answers = [ask(client_of(server), text) for text in ("a secret?", "a song?")]

    assert answers == ["403", "ok"]


def test_what_was_asked_stands_in_the_requests(client_of: ClientOf):
    with FaultServer() as server:
        client_of(server).chat.completions.create(
            **ASK, temperature=0.5, extra_headers={"X-Api-Key": "secret", "X-Case": "c7"}
        )

    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {**ASK, "temperature": 0.5}
    assert request.question == "Where is it?"
    assert (request.headers["authorization"], request.headers["x-api-key"]) == ("***", "***")
    assert request.headers["x-case"] == "c7"
    assert "secret" not in repr(request)
    assert 0 <= request.started_s < 60


def test_a_rate_limit_lets_a_burst_through_and_then_so_many_a_second(client_of: ClientOf):
    with FaultServer([faults.answer("ok")], limit=RateLimit(per_s=0.1, burst=3)) as server:
        answers = [ask(client_of(server)) for _ in range(5)]

    assert answers == ["ok", "ok", "ok", "429", "429"]
    assert [request.fault for request in server.requests] == [
        *["answer"] * 3,
        *["over_limit"] * 2,
    ]


def test_a_quiet_time_saves_up_no_more_than_a_burst(client_of: ClientOf):
    with FaultServer([faults.answer("ok")], limit=RateLimit(per_s=3, burst=2)) as server:
        time.sleep(1.4)
        answers = [ask(client_of(server)) for _ in range(5)]

    assert answers[:2] == ["ok", "ok"]
    assert "429" in answers


@pytest.mark.parametrize(
    ("form", "header"), [("ms", "retry-after-ms"), ("seconds", "retry-after"), (None, "")]
)
def test_a_rate_limit_may_say_when_there_is_room(form: Any, header: str, client_of: ClientOf):
    limit = RateLimit(per_s=0.4, form=form)
    with FaultServer(limit=limit) as server:
        ask(client_of(server))
        with pytest.raises(openai.RateLimitError) as seen:
            client_of(server).chat.completions.create(**ASK)

    headers = {k: v for k, v in seen.value.response.headers.items() if k.startswith("retry-after")}
    assert list(headers) == ([header] if header else [])
    if form == "ms":
        assert 0 < int(headers[header]) <= 2500
    if form == "seconds":
        assert headers[header] in ("1", "2", "3")


def test_who_waits_as_told_is_let_in(client_of: ClientOf):
    """The time that a refusal tells is enough, and it has taken nothing from the script."""
    script = [faults.answer(str(number)) for number in range(3)]
    with FaultServer(script, limit=RateLimit(per_s=2)) as server:
        patient = client_of(server, max_retries=1)
        answers = [ask(patient) for _ in range(3)]

    assert answers == ["0", "1", "2"]
    assert 3 < server.n_requests <= 5


def test_latency_is_by_answer(client_of: ClientOf):
    with FaultServer(latency_s=lambda request: 0.4 if "slow" in request.question else 0) as server:
        started_s = time.monotonic()
        ask(client_of(server), "slow")
        took_s = time.monotonic() - started_s

    assert took_s >= 0.4


def test_requests_at_once_are_counted(client_of: ClientOf):
    """The fourth comes when the first three are still unanswered, and no sooner."""
    inside = threading.Barrier(3)

    def wait_for_the_others(request: Received) -> str:
        if request.number < 3:
            inside.wait(timeout=10)
        return "ok"

    with FaultServer([faults.answer(wait_for_the_others)]) as server:
        client = client_of(server)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: ask(client), range(3)))
        for _ in range(20):
            ask(client)

    assert server.most_at_once == 3
    assert sorted(request.at_once for request in server.requests[:3]) == [1, 2, 3]
    assert {request.at_once for request in server.requests[3:]} == {1}


def test_a_client_that_asks_one_after_the_other_is_never_two():
    """Not even one that asks, by another connection, as soon as the last byte has come."""
    with FaultServer() as server:
        port = urlsplit(server.url).port
        connections = [HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(2)]
        for number in range(300):
            connections[number % 2].request("POST", "/v1/chat/completions", json.dumps(ASK))
            connections[number % 2].getresponse().read()
        for connection in connections:
            connection.close()

    assert (server.n_requests, server.most_at_once) == (300, 1)


def test_many_requests_at_once_lose_none(client_of: ClientOf):
    """200 from 32 threads: each counted once, each given the answer to its own question."""
    with FaultServer([faults.answer(lambda request: request.question)]) as server:
        client = client_of(server)
        texts = [f"question {number}" for number in range(200)]
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda text: ask(client, text), texts))

    assert answers == texts
    assert sorted(request.question for request in server.requests) == sorted(texts)
    assert server.most_at_once <= 32


def test_a_forgotten_server_stops_by_itself(client_of: ClientOf):
    with FaultServer([faults.hang()], max_s=2) as server:
        client = client_of(server)
        with pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(**ASK)  # the hang ends with the server
        server.wait()
        with pytest.raises(openai.APIConnectionError):
            client.chat.completions.create(**ASK)

    assert server.n_requests == 1


def test_what_a_callable_of_the_test_raises_fails_the_test(client_of: ClientOf):
    """Else it would look like one more failure of the provider."""
    seen = ""
    with pytest.raises(ZeroDivisionError), FaultServer(choose=lambda _: 1 / 0) as server:  # type: ignore[arg-type,return-value]
        seen = ask(client_of(server))

    assert seen == "500"


def test_choose_must_give_a_fault(client_of: ClientOf):
    with pytest.raises(TypeError) as seen, FaultServer(choose=lambda _: "ok") as server:  # type: ignore[arg-type,return-value]
        ask(client_of(server))

    assert str(seen.value) == "choose returned 'ok', not one of vcmp.testing.faults"


def test_a_script_or_choose():
    with pytest.raises(ValueError) as seen:  # noqa: PT011 (the whole text is compared)
        FaultServer([faults.answer()], choose=lambda _: faults.answer())

    assert str(seen.value) == "a script or choose: one of them says what happens"


def test_a_server_that_was_not_entered_has_no_address():
    with pytest.raises(RuntimeError) as seen:
        FaultServer().url  # noqa: B018 (it raises)

    assert str(seen.value) == "the server has no address before it is entered: use `with`"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"per_s": 0}, "per_s is 0 and burst 1: above 0, and at least 1"),
        ({"per_s": 5, "burst": 0}, "per_s is 5 and burst 0: above 0, and at least 1"),
        ({"per_s": 5, "form": "x"}, "form is 'x': one of seconds, date, ms"),
    ],
)
def test_a_rate_limit_that_cannot_be(given: dict[str, Any], message: str):
    with pytest.raises(ValueError) as seen:  # noqa: PT011 (the whole text is compared)
        RateLimit(**given)

    assert str(seen.value) == message
