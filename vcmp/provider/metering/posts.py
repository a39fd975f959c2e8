"""Requests of the `requests` library that a scorer asks a model with, as MLflow's judges do."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from vcmp.calls import is_scoring
from vcmp.digests import digest_of
from vcmp.provider.loopback.marks import sending
from vcmp.provider.metering.attempts import until_answered
from vcmp.provider.metering.exchange import Exchange
from vcmp.provider.metering.failures import GivenUpError, RefusedError, redirected
from vcmp.provider.metering.readings import read_reply
from vcmp.provider.metering.traffic import Traffic

QUESTIONS = {"input", "prompt", "questions"}
"""Fields of a body that names a model; one with messages need not, since a URL may name it."""
MESSAGES = {"messages", "contents"}
_URL = re.compile(r"(.*?/)(chat/completions|completions|responses|messages|embeddings)")


class Post:
    """A request as it is to be sent.

    Args:
        prepared: The library's `PreparedRequest`.
    """

    asks = True
    repeatable = True

    def __init__(self, prepared: Any, body: Mapping[str, Any]) -> None:
        url = prepared.url.partition("?")[0]
        known = _URL.fullmatch(url)
        self.base_url = known[1] if known else url
        self.api = known[2].replace("/", ".") if known else url.rpartition("/")[2]
        self.model = str(body.get("model") or "")
        self.body = body
        self.digest = digest_of(["post", prepared.url, body])

    def timeout(self) -> Exception:
        """The error for a request that took too long."""
        return TimeoutError("no reply before the deadline")


def metered_send(send: Callable[..., Any], traffic: Traffic) -> Callable[..., Any]:
    """`requests.Session.send` that meters what a scorer asks a model with.

    Who sent it is not to retry it: a reply that MLflow would ask for again, or none, raises a
    `GivenUpError` once all attempts are made. Any other refusal is handed over as it is.
    """

    def send_metered(session: Any, prepared: Any, **how: Any) -> Any:
        body = _question(prepared) if is_scoring() else None
        if body is None:
            return send(session, prepared, **how)
        exchange = Exchange(Post(prepared, body), traffic)
        how = {**how, "timeout": traffic.limits.call_deadline_s, "allow_redirects": False}

        def attempt() -> Any:
            with sending(exchange.mark):
                response = exchange.within_deadline(_sent, send, session, prepared, how)
            reply = exchange.answered(_reply(response), object)
            exchange.end(read_reply(reply))
            return response

        try:
            return until_answered(exchange, attempt)
        except RefusedError as error:
            if error.status_code == 429 or error.status_code >= 500:
                raise GivenUpError(error) from error
            return error.response
        except (TimeoutError, ConnectionError) as error:
            raise GivenUpError(error) from error

    return send_metered


def _question(prepared: Any) -> Mapping[str, Any] | None:
    """What a request asks a model; None when it asks none, as one to MLflow's store."""
    if prepared.method != "POST" or not isinstance(prepared.body, bytes | str):
        return None
    try:
        body = json.loads(prepared.body)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    asks = body.keys() & MESSAGES or ("model" in body and body.keys() & QUESTIONS)
    return body if asks else None


def _sent(send: Callable[..., Any], session: Any, prepared: Any, how: Mapping[str, Any]) -> Any:
    """The response; its errors are Python's own, which are the same for every library."""
    from requests import exceptions

    try:
        return send(session, prepared, **how)
    except exceptions.Timeout as error:
        raise TimeoutError(str(error)) from error
    except (exceptions.ConnectionError, exceptions.ChunkedEncodingError) as error:
        raise ConnectionError(str(error)) from error


def _reply(response: Any) -> Any:
    """The reply as JSON.

    Raises:
        RefusedError: It is a refusal.
        JSONDecodeError: It is no JSON.
    """
    if response.status_code < 300:
        return json.loads(response.content)
    try:
        said = json.loads(response.content)["error"]
        message, code, kind = (said.get(name) for name in ("message", "code", "type"))
    except (ValueError, TypeError, LookupError, AttributeError):
        message = code = kind = None
    if response.is_redirect:
        message = redirected(response.headers)
    told = f"{response.status_code} {response.reason}" + (f": {message}" if message else "")
    raise RefusedError(told, response=response, code=code, kind=kind)
