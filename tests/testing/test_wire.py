"""What goes wrong on the way: resets, ends, silence and drips, and how the server gets out."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from tests.testing.conftest import ASK, ClientOf
from vcmp.testing import Fault, FaultServer, faults

BODY = json.dumps(ASK).encode()
LONG = faults.answer("word " * 100)
SLOW_S = 20.0
"""Far longer than any test may take that does not wait for it."""


@contextmanager
def post(server: FaultServer, body: bytes = BODY) -> Iterator[http.client.HTTPResponse]:
    """The reply as it is, before a client of the API hides it."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.split(":")[2][:-3]), 30)
    try:
        connection.request("POST", "/v1/chat/completions", body)
        with connection.getresponse() as reply:
            yield reply
    finally:
        connection.close()


def streamed(body: dict[str, Any] = ASK) -> bytes:
    return json.dumps({**body, "stream": True}).encode()


def test_a_reset_before_the_first_byte(client_of: ClientOf):
    with FaultServer([faults.reset()]) as server:
        with pytest.raises(ConnectionResetError), post(server):
            pass
        with pytest.raises(openai.APIConnectionError):
            client_of(server).chat.completions.create(**ASK)

    assert server.n_requests == 2


@pytest.mark.parametrize("body", [BODY, streamed()], ids=["whole", "streamed"])
def test_a_reset_within_the_body(body: bytes):
    with FaultServer([faults.reset(at=0.5, of=LONG)]) as server, post(server, body) as reply:
        assert reply.status == 200
        assert len(reply.read(300)) == 300
        with pytest.raises(ConnectionResetError):
            reply.read()


def test_a_body_shorter_than_announced(client_of: ClientOf):
    with FaultServer([faults.cut_body(at=0.5, of=LONG)]) as server:
        with post(server) as reply, pytest.raises(http.client.IncompleteRead) as seen:
            reply.read()
        with pytest.raises(openai.APIConnectionError):
            client_of(server).chat.completions.create(**ASK)

    assert abs(len(seen.value.partial) - seen.value.expected) <= 1  # half of it


def test_a_stream_that_ends_in_the_middle(client_of: ClientOf):
    """Some of the answer has come when it fails: an agent must not take it for all."""
    with FaultServer([faults.cut_body(at=0.5, of=LONG)]) as server:
        stream = client_of(server).chat.completions.create(**ASK, stream=True)
        pieces: list[str] = []
        with pytest.raises(openai.APIConnectionError):
            pieces.extend(chunk.choices[0].delta.content or "" for chunk in stream)

    assert 0 < len("".join(pieces)) < 500


def test_a_hang_ends_at_its_bound():
    with FaultServer([faults.hang(for_s=0.3)]) as server:
        started_s = time.monotonic()
        with pytest.raises(http.client.RemoteDisconnected), post(server):
            pass

    assert time.monotonic() - started_s >= 0.3


def test_a_hang_within_a_stream():
    """The first pieces come, and then nothing: a deadline for the first byte does not help."""
    fault = faults.hang(for_s=0.3, at=0.5, of=LONG)
    with FaultServer([fault]) as server, post(server, streamed()) as reply:
        assert len(reply.read(300)) == 300
        with pytest.raises(http.client.IncompleteRead):
            reply.read()


def test_a_client_that_waits_no_longer_is_gone_for_the_server(client_of: ClientOf):
    """What it left behind is not in flight any more: `most_at_once` does not count it."""
    with FaultServer([faults.hang(SLOW_S), faults.answer("ok")]) as server:
        with pytest.raises(openai.APITimeoutError):
            client_of(server, timeout=0.5).chat.completions.create(**ASK)
        for _ in range(50):
            client_of(server).chat.completions.create(**ASK)
            if server.requests[-1].at_once == 1:
                break
            time.sleep(0.1)

    assert server.requests[-1].at_once == 1


@pytest.mark.parametrize("body", [BODY, streamed()], ids=["whole", "streamed"])
def test_a_drip_is_complete_in_the_end(body: bytes):
    """Every byte comes by itself: a timeout for each read sees nothing wrong."""
    with FaultServer([faults.drip(for_s=0.6), faults.answer()]) as server:
        started_s = time.monotonic()
        with post(server, body) as slow:
            reads = [slow.read1() for _ in range(20)]
            rest = slow.read()
        took_s = time.monotonic() - started_s
        with post(server, body) as fast:
            whole = fast.read()

    assert took_s >= 0.6
    assert all(0 < len(read) < 100 for read in reads)
    assert len(b"".join(reads) + rest) == len(whole)


def test_a_timeout_for_each_read_does_not_end_a_drip(client_of: ClientOf):
    """Why a deadline by the clock is needed: this call takes longer than its own timeout."""
    with FaultServer([faults.drip(for_s=2.5, of=faults.answer("ok"))]) as server:
        reply = client_of(server, timeout=1.2).chat.completions.create(**ASK)

    assert reply.choices[0].message.content == "ok"


def test_a_late_answer():
    with FaultServer([faults.late(0.3, of=faults.answer("ok"))]) as server:
        started_s = time.monotonic()
        with post(server) as reply:
            assert b'"ok"' in reply.read()

    assert time.monotonic() - started_s >= 0.3


@pytest.mark.parametrize(
    "fault",
    [faults.hang(SLOW_S), faults.hang(SLOW_S, at=0.5), faults.drip(SLOW_S), faults.late(SLOW_S)],
    ids=["hang", "hang within", "drip", "late"],
)
def test_stopping_does_not_wait(fault: Fault):
    """Neither for what hangs nor for clients that hold their connections."""
    before = set(threading.enumerate())
    with FaultServer([fault]) as server:
        asking = [threading.Thread(target=ask_in_vain, args=(server,)) for _ in range(5)]
        for thread in asking:
            thread.start()
        while server.n_requests < 5:
            time.sleep(0.01)
        started_s = time.monotonic()
    took_s = time.monotonic() - started_s
    for thread in asking:
        thread.join(timeout=5)

    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
    assert took_s < SLOW_S / 4
    assert set(threading.enumerate()) <= before
    assert server.most_at_once == 5


def ask_in_vain(server: FaultServer) -> None:
    with pytest.raises((OSError, http.client.HTTPException)), post(server) as reply:
        reply.read()


def test_a_fault_may_be_any_answer():
    """On the wire too: a refusal that drips, a large answer that is cut off."""
    with FaultServer([faults.drip(0.1, of=faults.rate_limit(1)),
                      faults.cut_body(0.9, of=faults.large(100_000))]) as server:  # fmt: skip
        with post(server) as refused:
            refused.read()
        with post(server) as cut, pytest.raises(http.client.IncompleteRead) as seen:
            cut.read()

    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert len(seen.value.partial) > 89_000
    assert [request.fault for request in server.requests] == ["drip", "cut_body"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: faults.hang(0), "for_s is 0: seconds, above 0 and at most 3600"),
        (lambda: faults.drip(-1), "for_s is -1: seconds, above 0 and at most 3600"),
        (lambda: faults.late(1e9), "by_s is 1000000000.0: seconds, above 0 and at most 3600"),
        (lambda: faults.reset(at=1), "at is 1: a share of the body, from 0 to below 1"),
        (lambda: faults.server_error(404), "status is 404: a server's error, from 500 to 599"),
        (lambda: faults.rate_limit(1, "hours"), "form is 'hours': one of seconds, date, ms"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_made(make: Any, message: str):
    with pytest.raises(ValueError) as seen:  # noqa: PT011 (the whole text is compared)
        make()

    assert str(seen.value) == message
