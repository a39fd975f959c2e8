"""A request as the SDK was asked to make it, and as it is to be sent."""

from collections.abc import Mapping
from typing import Any, Protocol

from vcmp.digests import digest_of
from vcmp.provider.loopback.marks import HEADER, Mark


class Asked(Protocol):
    """What one request asks, of whom."""

    @property
    def base_url(self) -> str:
        """Whom it asks."""
        ...

    @property
    def api(self) -> str:
        """`chat.completions`, `responses`, …"""
        ...

    @property
    def model(self) -> str:
        """The model it asks for; "" where it names none."""
        ...

    @property
    def body(self) -> Mapping[str, Any]:
        """What it says."""
        ...

    @property
    def asks(self) -> bool:
        """Whether a model is asked; what is only looked up costs nothing."""
        ...

    @property
    def digest(self) -> str:
        """Equal for requests that ask the same."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent again."""
        ...

    def timeout(self) -> Exception:
        """The error for a request that took too long."""
        ...


class Request:
    """What one call of the SDK asks, of whom.

    Args:
        client: The SDK's client.
        options: The SDK's `FinalRequestOptions`.
    """

    def __init__(self, client: Any, options: Any) -> None:
        self._client = client
        self._options = options
        self.body = _body(options)

    @property
    def base_url(self) -> str:
        return str(self._client.base_url)

    @property
    def api(self) -> str:
        return str(self._options.url.strip("/").replace("/", "."))

    @property
    def model(self) -> str:
        return str(self.body.get("model") or "")

    @property
    def asks(self) -> bool:
        return bool(self._options.method.lower() == "post")

    @property
    def digest(self) -> str:
        return digest_of([self._options.method, self._options.url, self.body])

    @property
    def repeatable(self) -> bool:
        """Whether the body is still there: a file was read to its end by the first attempt."""
        return not self._options.files and isinstance(self._options.content, bytes | None)

    def options(self, mark: Mark | None, timeout_s: float | None = None) -> Any:
        """The SDK's options as they are to be sent: without retries or redirections of its own."""
        import openai

        options = self._options.model_copy()
        options.max_retries = 0
        if self.asks:
            options.follow_redirects = False  # each would be a request that nobody counts
        if mark is not None:
            given = {} if isinstance(options.headers, openai.NotGiven) else options.headers
            options.headers = {**given, HEADER: mark.write()}
        if timeout_s is not None:
            asked = options.timeout
            asked = self._client.timeout if isinstance(asked, openai.NotGiven) else asked
            options.timeout = _bounded(asked, timeout_s)
        return options

    def timeout(self) -> Exception:
        """The SDK's own error for a request that took too long."""
        import httpx2
        import openai

        url = self.base_url.rstrip("/") + "/" + self._options.url.lstrip("/")
        return openai.APITimeoutError(request=httpx2.Request(self._options.method, url))


def _body(options: Any) -> Mapping[str, Any]:
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    return {**body, **(options.extra_json or {})}


def _bounded(timeout: Any, limit_s: float) -> Any:
    """`timeout` of the SDK (None, seconds, or seconds for each phase), at most `limit_s`."""
    import httpx2

    if timeout is None or isinstance(timeout, int | float):
        return limit_s if timeout is None else min(timeout, limit_s)
    phases = {name: getattr(timeout, name) for name in ("connect", "read", "write", "pool")}
    return httpx2.Timeout(**{name: _bounded(phase, limit_s) for name, phase in phases.items()})
