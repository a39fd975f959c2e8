"""What is replied: an answer in the shape of the API, or a page of any kind."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import responses as reasons
from typing import Any, Literal, get_args

from vcmp.digests import digest_of
from vcmp.provider.loopback import shapes
from vcmp.provider.loopback.requests import Request
from vcmp.provider.loopback.tokens import count_tokens
from vcmp.provider.scripted.tools import fill
from vcmp.testing.requests import CHAT, Received

Form = Literal["seconds", "date", "ms"]

IN_RESPONSES = {"choices": "output", "content": "text"}
"""What the Responses API calls the fields that an answer may lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a reply."""

    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply in the shape of the API, streamed when the request wants it."""

    text: str | Callable[[Received], str] | None = None
    """None: a sentence with the digest of the question, or JSON that follows the request's schema
    with this sentence wherever a text may stand."""
    model: str = ""
    """Empty: the one that was asked for."""
    fingerprint: str = "fp_testing"
    finish: Literal["stop", "length", "content_filter"] = "stop"
    refusal: str = ""
    spoilt: Mapping[str, Any] = field(default_factory=dict)
    """Fields of Chat Completions that hold something else, at any depth; those of Responses that
    are like them (`IN_RESPONSES`) do too."""

    def build(self, received: Received, request: Request) -> Content:
        """The bytes, for a request as received and as read."""
        reply = self._reply(received, request)
        if received.path == CHAT:
            return self._chat(reply, request)
        return self._response(reply, request)

    def _chat(self, reply: shapes.Reply, request: Request) -> Content:
        if request.stream:
            chunks = shapes.chat_chunks(reply, request.stream_usage)
            return stream(shapes.chat_lines(spoil(chunk, self.spoilt) for chunk in chunks))
        return document(spoil(shapes.chat_body(reply), self.spoilt))

    def _response(self, reply: shapes.Reply, request: Request) -> Content:
        spoilt = {IN_RESPONSES.get(name, name): value for name, value in self.spoilt.items()}
        if not request.stream:
            return document(spoil(shapes.response_body(reply), spoilt))
        events = shapes.response_events(reply)
        if "output" in spoilt:  # without output there are no events of it
            events = [event for event in events if "response" in event]
        return stream(shapes.response_lines(spoil(event, spoilt) for event in events))

    def _reply(self, received: Received, request: Request) -> shapes.Reply:
        text = self.text(received) if callable(self.text) else self.text
        if text is None:
            text = echo(received, request)
        return shapes.Reply(
            id=digest_of([received.number, received.question])[:24],
            created_s=int(time.time()),
            text=text,
            cut=self.finish == "length",
            filtered=self.finish == "content_filter",
            refusal=self.refusal,
            model=self.model or str(received.body.get("model", "")),
            fingerprint=self.fingerprint,
            input_tokens=request.n_tokens,
            output_tokens=count_tokens(self.refusal or text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A reply of any kind, the same whether a stream was asked for or not."""

    status: int
    body: str
    kind: str = "application/json"
    retry_after_s: float | None = None
    form: Form = "seconds"
    in_stream: bool = False
    """In a stream it is an event of it."""

    def __post_init__(self) -> None:
        check_form(self.form)

    def build(self, _received: Received, request: Request) -> Content:
        """The bytes, for a request as received and as read."""
        if self.in_stream and request.stream:
            return stream([f"data: {self.body}\n\n".encode()])
        return page(self.status, self.body.encode(), self.kind, self._retry_after())

    def _retry_after(self) -> dict[str, str]:
        if self.retry_after_s is None:
            return {}
        match self.form:
            case "seconds":
                return {"Retry-After": f"{self.retry_after_s:g}"}
            case "ms":
                return {"retry-after-ms": f"{1000 * self.retry_after_s:.0f}"}
            case "date":  # has whole seconds; earlier than asked for would be a lie
                moment = math.ceil(time.time() + self.retry_after_s)
                return {"Retry-After": formatdate(moment, usegmt=True)}


def check_form(form: str) -> None:
    """Raises ValueError unless `form` is a way to write Retry-After."""
    if form not in get_args(Form):
        raise ValueError(f"form is {form!r}: one of {', '.join(get_args(Form))}")


def echo(received: Received, request: Request) -> str:
    """An answer that differs by question and follows the request's JSON schema."""
    text = f"The answer to question {digest_of(received.question)[:8]}."
    if request.schema is None:
        return text
    return json.dumps(fill(request.schema, text) if request.schema else {"answer": text})


def spoil(part: Any, fields: Mapping[str, Any]) -> Any:
    """`part`, a JSON value, with other values in `fields` wherever they stand."""
    if isinstance(part, list):
        return [spoil(item, fields) for item in part]
    if not fields or not isinstance(part, dict):
        return part
    return {k: fields[k] if k in fields else spoil(v, fields) for k, v in part.items()}


def page(
    status: int, body: bytes, kind: str = "application/json", more: Mapping[str, str] | None = None
) -> Content:
    """A reply of known length."""
    length = {"Content-Length": str(len(body))}
    return Content(head=_head(status, {"Content-Type": kind, **length, **(more or {})}), body=body)


def document(value: Any) -> Content:
    """A reply of JSON."""
    return page(200, json.dumps(value).encode())


def stream(lines: Iterable[bytes]) -> Content:
    """Server-sent events, each a chunk of its own."""
    chunks = [b"%x\r\n%s\r\n" % (len(line), line) for line in lines]
    headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
    return Content(head=_head(200, headers), body=b"".join([*chunks, b"0\r\n\r\n"]))


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {reasons.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
