"""What the server was asked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from vcmp.provider.loopback.requests import Request, RequestError, read_chat, read_responses

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
APIS: Mapping[str, Callable[[Mapping[str, Any]], Request]] = {
    CHAT: read_chat,
    RESPONSES: read_responses,
}

_SECRET = {"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request for an answer, as it arrived."""

    number: int
    """In order of arrival, from 0."""
    path: str
    headers: Mapping[str, str]
    """By name in lower case; keys and cookies are masked."""
    body: Mapping[str, Any]
    """Empty when it was no JSON object."""
    started_s: float
    """Since the server started."""
    at_once: int
    """Requests in the server when this one arrived, this one included."""
    question: str = ""
    """The text of the last user message."""
    fault: str = ""
    """What the server did, by the name in `faults`; empty until that is chosen.

    `over_limit` is the refusal of a rate limit, `bad_request` that of a body the API cannot read.
    """


def mask(headers: Mapping[str, str]) -> Mapping[str, str]:
    """`headers` by name in lower case, without what lets somebody in."""
    lower = {name.lower(): value for name, value in headers.items()}
    return MappingProxyType({k: "***" if k in _SECRET else v for k, v in lower.items()})


def parse(content: bytes) -> Mapping[str, Any]:
    """The JSON object in a request's body.

    Raises:
        RequestError: There is none.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from error
    if not isinstance(body, Mapping):
        raise RequestError("the body is not a JSON object")
    return body
