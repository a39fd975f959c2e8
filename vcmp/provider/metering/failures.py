"""Which kind of failure an error of a call is."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vcmp.calls import Failure
from vcmp.provider.loopback.origins import ElsewhereError

if TYPE_CHECKING:
    import openai

OUT_OF_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
"""Error codes that come with status 429 and that no waiting mends."""
NOT_RECORDED = "vcmp_not_recorded"
"""Error code with which vcmp's own server says that there is no recording."""
UNPAID = "vcmp_unpaid"
"""Error code with which vcmp's own server says that the budget has nothing left for the moment."""
OF_STATUS: Mapping[int, Failure] = {401: "auth", 402: "quota", 403: "auth", 429: "rate"}
PASSING: frozenset[Failure] = frozenset({"rate", "server", "connection", "timeout", "reply"})
"""Failures after which the same request may succeed."""
UNCHARGED: frozenset[Failure] = frozenset(
    {"auth", "quota", "rate", "request", "server", "connection", "missing", "stopped"}
)
"""Failures of a request that no model has worked on."""


class StoppedError(RuntimeError):
    """A request was not sent because the evaluation is being stopped."""


class BrokenReplyError(ValueError):
    """A reply came with status 200 and is none."""


class UnsendableError(ValueError):
    """A request was not sent because one of its headers cannot be."""


class RefusedError(RuntimeError):
    """A server refused a request of the `requests` library.

    Args:
        told: Status and message.
        response: The library's.
        code: What kind of refusal it says it is.
        kind: The same in other words.
    """

    def __init__(self, told: str, *, response: Any, code: Any, kind: Any) -> None:
        super().__init__(told)
        self.response = response
        self.status_code: int = response.status_code
        self.code, self.type = code, kind


class GivenUpError(RuntimeError):
    """A request has had all its attempts, and who sent it is not to begin anew."""

    def __init__(self, last: Exception) -> None:
        super().__init__(f"given up: {last}")


def explained(error: BaseException) -> BaseException:
    """An error, which says of a redirection where to, and of a header that it cannot be sent."""
    import openai

    # httpx tells it as if it were the connection's fault, and shows the header, which may be a key
    if str(error.__cause__).startswith("Illegal header"):
        return UnsendableError(
            "a header of the request, such as its key, cannot be sent: it begins or ends with a"
            " blank, or has a line break or a control character in it"
        )
    if not isinstance(error, openai.APIStatusError) or not error.response.has_redirect_location:
        return error
    told = f"Error code: {error.status_code} - {redirected(error.response.headers)}"
    return openai.APIStatusError(told, response=error.response, body=error.body)


def redirected(headers: Mapping[str, str]) -> str:
    """What is said of a request that its server sends elsewhere, where it does not go."""
    return f"the server sends requests on to {headers['location']}. Give the provider that address"


def failure_of(error: BaseException) -> Failure:
    """The kind of an error that a request ended with."""
    import openai

    match error:
        case StoppedError():
            return "stopped"
        case ElsewhereError():
            return "missing"
        case openai.APIStatusError() | RefusedError():
            return _of_status(error)
        case openai.APITimeoutError() | TimeoutError():
            return "timeout"
        case openai.APIConnectionError() | ConnectionError():
            return "connection"
        case UnsendableError():
            return "request"
        case json.JSONDecodeError() | UnicodeDecodeError() | BrokenReplyError():
            return "reply"
    return "other"


def _of_status(error: "openai.APIStatusError | RefusedError") -> Failure:
    if {str(error.code), str(error.type)} & OUT_OF_MONEY:
        return "quota"
    if error.code == NOT_RECORDED:
        return "missing"
    status = error.status_code
    if status >= 500 or status in (408, 409):
        return "server"
    return OF_STATUS.get(status, "request")
