"""What the server does with one request: an answer, or one of the ways in which providers fail.

Every function makes a `Fault`; each can be called without arguments.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from vcmp.provider.loopback.shapes import error_body
from vcmp.testing.deliveries import Drip, Part, Whole, check_bound
from vcmp.testing.replies import Answer, Form, Page
from vcmp.testing.requests import Received

__all__ = [
    "answer",
    "broken_json",
    "cut_body",
    "drip",
    "empty",
    "error_with_200",
    "filtered",
    "forbidden",
    "hang",
    "html_with_200",
    "insufficient_quota",
    "invalid_json",
    "large",
    "late",
    "model_not_found",
    "no_choices",
    "no_usage",
    "null_choices",
    "null_content",
    "odd_characters",
    "other_model",
    "rate_limit",
    "refusal",
    "reset",
    "server_error",
    "truncated",
    "unauthorized",
]

HTML = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"
WHOLE = Whole()
HALF_AN_ANSWER = "The answer begins well, but"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is replied, how it goes over the wire, and after how long."""

    name: str
    """Stands in `Received.fault`."""
    reply: Answer | Page
    delivery: Whole | Drip | Part = WHOLE
    delay_s: float = 0.0


# Answers


def answer(text: str | Callable[[Received], str] | None = None) -> Fault:
    """A good answer: a text, a function of the request, or the digest of the question."""
    return Fault(name="answer", reply=Answer(text=text))


def other_model(model: str = "other-model", fingerprint: str = "fp_other") -> Fault:
    """A good answer under another model's name and another system_fingerprint."""
    return Fault(name="other_model", reply=Answer(model=model, fingerprint=fingerprint))


def refusal(text: str = "I cannot help with that.") -> Fault:
    """The model declines: `refusal` holds a text, and there is no content."""
    return Fault(name="refusal", reply=Answer(text="", refusal=text))


def filtered(text: str = HALF_AN_ANSWER) -> Fault:
    """Half an answer, ended by a content filter."""
    return Fault(name="filtered", reply=Answer(text=text, finish="content_filter"))


def truncated(text: str = HALF_AN_ANSWER) -> Fault:
    """Half an answer, ended by the limit of tokens (finish_reason length)."""
    return Fault(name="truncated", reply=Answer(text=text, finish="length"))


def empty() -> Fault:
    """An answer whose content is the empty text."""
    return Fault(name="empty", reply=Answer(text=""))


def null_content() -> Fault:
    """An answer whose content is null."""
    return Fault(name="null_content", reply=Answer(text="", spoilt={"content": None}))


def null_choices() -> Fault:
    """`choices` (Responses: `output`) is null."""
    return Fault(name="null_choices", reply=Answer(text="", spoilt={"choices": None}))


def no_choices() -> Fault:
    """`choices` (Responses: `output`) is an empty list."""
    return Fault(name="no_choices", reply=Answer(text="", spoilt={"choices": []}))


def no_usage() -> Fault:
    """A good answer that does not say how many tokens it took."""
    return Fault(name="no_usage", reply=Answer(spoilt={"usage": None}))


def invalid_json(text: str = '{"rationale": "It does what was asked", "score": 1,') -> Fault:
    """An answer whose text is JSON cut off before its end, as models write it now and then."""
    return Fault(name="invalid_json", reply=Answer(text=text))


def large(n_bytes: int = 10_000_000) -> Fault:
    """An answer of ten million characters."""
    return Fault(name="large", reply=Answer(text=("word " * (n_bytes // 5 + 1))[:n_bytes]))


def odd_characters() -> Fault:
    """An answer with a lone surrogate, NUL, and signs that turn text round."""
    return Fault(
        name="odd_characters",
        reply=Answer(text="lone \ud83d surrogate, NUL \x00, escape \x1b[31m, turned \u202e round"),
    )


# Refusals of the server


def rate_limit(retry_after_s: float | None = None, form: Form = "seconds") -> Fault:
    """429, with or without Retry-After: in seconds, as an HTTP date, or retry-after-ms."""
    body = _error("Rate limit reached for requests.", "requests", "rate_limit_exceeded")
    return Fault(
        name="rate_limit",
        reply=Page(status=429, body=body, retry_after_s=retry_after_s, form=form),
    )


def insufficient_quota() -> Fault:
    """429 with the code insufficient_quota: waiting does not help."""
    body = _error(
        "You exceeded your current quota, check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    )
    return Fault(name="insufficient_quota", reply=Page(status=429, body=body))


def unauthorized() -> Fault:
    """401: the key is wrong."""
    body = _error("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
    return Fault(name="unauthorized", reply=Page(status=401, body=body))


def forbidden() -> Fault:
    """403: the key may not do this."""
    body = _error("Your project has no access to this model.", "invalid_request_error", "forbidden")
    return Fault(name="forbidden", reply=Page(status=403, body=body))


def model_not_found() -> Fault:
    """404 with the code model_not_found."""
    body = _error(
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    )
    return Fault(name="model_not_found", reply=Page(status=404, body=body))


def server_error(status: int = 500) -> Fault:
    """500, 502 or another, with a page of HTML as gateways send it."""
    if not 500 <= status <= 599:
        raise ValueError(f"status is {status!r}: a server's error, from 500 to 599")
    body = HTML.format(f"{status} Server Error")
    return Fault(name="server_error", reply=Page(status=status, body=body, kind="text/html"))


# Replies that are none


def html_with_200() -> Fault:
    """200 with a page of HTML, as a proxy that wants somebody to log in sends it."""
    body = HTML.format("Sign in")
    return Fault(name="html_with_200", reply=Page(status=200, body=body, kind="text/html"))


def error_with_200() -> Fault:
    """200 with `{"error": …}`; in a stream an event of it."""
    body = _error("The upstream provider is overloaded.", "server_error", "overloaded")
    return Fault(name="error_with_200", reply=Page(status=200, body=body, in_stream=True))


def broken_json() -> Fault:
    """200 with a whole body that is half a JSON document."""
    body = '{"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, "mess'
    return Fault(name="broken_json", reply=Page(status=200, body=body, in_stream=True))


# What happens on the wire


def reset(at: float = 0.0, of: Fault | None = None) -> Fault:
    """The connection is reset: before the first byte, or after a share `at` of the body."""
    return replace(of or answer(), name="reset", delivery=Part(at=at, reset=True))


def cut_body(at: float = 0.5, of: Fault | None = None) -> Fault:
    """The connection ends in order after a share `at` of the body that was announced."""
    return replace(of or answer(), name="cut_body", delivery=Part(at=at))


def hang(for_s: float = 60.0, at: float = 0.0, of: Fault | None = None) -> Fault:
    """Silence for `for_s` seconds, before the first byte or within the body; then the end."""
    check_bound("for_s", for_s)
    return replace(of or answer(), name="hang", delivery=Part(at=at, for_s=for_s))


def drip(for_s: float = 10.0, of: Fault | None = None) -> Fault:
    """The body comes a byte at a time, for `for_s` seconds; a stream too."""
    check_bound("for_s", for_s)
    return replace(of or answer(), name="drip", delivery=Drip(for_s=for_s))


def late(by_s: float = 1.0, of: Fault | None = None) -> Fault:
    """Silence for `by_s` seconds, then the answer."""
    check_bound("by_s", by_s)
    return replace(of or answer(), name="late", delay_s=by_s)


def _error(message: str, kind: str, code: str) -> str:
    return json.dumps(error_body(message, kind, code=code))
