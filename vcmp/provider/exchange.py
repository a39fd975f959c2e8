"""One request, from its first attempt to its end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from vcmp.calls import Call, record, slot, take_number
from vcmp.digests import digest_of
from vcmp.provider import origins
from vcmp.provider.marks import HEADER, Mark
from vcmp.provider.origins import ElsewhereError, Origin
from vcmp.provider.prices import cost_usd
from vcmp.provider.readings import Reading
from vcmp.provider.retries import backoff_s, is_passing
from vcmp.provider.shapes import NO_RECORDING
from vcmp.types import Limits


class StoppedError(RuntimeError):
    """A request was not sent because the evaluation is being stopped."""


class Exchange:
    """What has happened to one request so far; records it once, when it has ended.

    Args:
        client: The SDK's client.
        options: The SDK's `FinalRequestOptions`: what is asked.
        limits: How often and how long to try.
    """

    def __init__(self, client: Any, options: Any, limits: Limits) -> None:
        self._client = client
        self._options = options
        self._limits = limits
        # a stream may be read to its end, or collected as garbage, while another case is running
        self._context = copy_context()
        self._attempts = 0
        self._started_s = time.time()
        self._first = self._last = time.perf_counter()
        self._ended = False
        self._mark: Mark | None = None

    def _marked(self) -> Mark | None:
        """What one of vcmp's own servers is told of the request; nothing for any other."""
        if not origins.is_own(str(self._client.base_url)):
            return None
        options = self._options
        asked = digest_of([options.method, options.url, _body(options)])
        of = slot()
        number = None if of is None else take_number(asked)
        return Mark(slot=of, number=number, token=origins.expect())

    def begin(self, stopping: bool) -> None:
        """Start an attempt.

        Raises:
            StoppedError: Nothing is to be sent any more.
            ElsewhereError: Only recordings may answer, and the client does not ask for them.
        """
        try:
            origins.refuse_elsewhere(str(self._client.base_url))
        except ElsewhereError as refusal:
            self.end(error=refusal)
            raise
        if stopping:
            error = StoppedError("the evaluation is being stopped, no request is sent")
            if self._attempts:
                self.end(error=error)
            raise error
        if not self._attempts:
            self._mark = self._marked()
        self._attempts += 1
        self._last = time.perf_counter()

    def options(self, timeout_s: float | None = None) -> Any:
        """The request as the SDK is to send it: without retries of its own."""
        import openai

        options = self._options.model_copy()
        options.max_retries = 0
        if self._mark is not None:
            given = {} if isinstance(options.headers, openai.NotGiven) else options.headers
            options.headers = {**given, HEADER: self._mark.write()}
        if timeout_s is not None:
            asked = options.timeout
            asked = self._client.timeout if isinstance(asked, openai.NotGiven) else asked
            options.timeout = _bounded(asked, timeout_s)
        return options

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Raise `openai.APITimeoutError` when the attempt's time is over."""
        left = self._last + self._limits.call_deadline_s - time.perf_counter()
        try:
            async with asyncio.timeout(left) as timer:
                yield
        except TimeoutError:
            if timer.expired():
                raise self._timeout() from None
            raise

    def check_deadline(self) -> None:
        """Raise `openai.APITimeoutError` when the attempt's time is over."""
        if time.perf_counter() > self._last + self._limits.call_deadline_s:
            raise self._timeout()

    def _timeout(self) -> Exception:
        import httpx2
        import openai

        url = f"{self._client.base_url}".rstrip("/") + "/" + self._options.url.lstrip("/")
        return openai.APITimeoutError(request=httpx2.Request(self._options.method, url))

    def checked(self, reply: Any, cast_to: Any) -> Any:
        """`reply`, unless a proxy answered in the model's place.

        The SDK hands over a 200 that is no JSON as text, and the agent would fail far from here.
        """
        if isinstance(reply, str) and cast_to is not str:
            raise json.JSONDecodeError("the reply is not JSON", reply[:200], 0)
        return reply

    def wait_s(self, error: BaseException) -> float:
        """Seconds until the next attempt; raises `error` again when there is to be none."""
        last = self._attempts >= self._limits.attempts or not self._repeatable()
        if not last and is_passing(error):
            wait = backoff_s(self._attempts, error)
            if wait < self._limits.case_deadline_s:
                return wait
        self.end(error=error)
        raise error

    def _repeatable(self) -> bool:
        """Whether the body is still there: a file was read to its end by the first attempt."""
        return not self._options.files and isinstance(self._options.content, bytes | None)

    def end(self, reading: Reading | None = None, error: BaseException | None = None) -> None:
        """Record the request; what comes after the first call is ignored."""
        if self._ended:
            return
        self._ended = True
        origin = origins.take(self._mark.token) if self._mark else Origin()
        if isinstance(error, ElsewhereError):
            origin = Origin(source="replayed")  # nothing was sent
        if self._options.method.lower() == "post":
            self._context.run(record, self._call(reading or Reading(), error, origin))

    def _call(self, reading: Reading, error: BaseException | None, origin: Origin) -> Call:
        body = _body(self._options)
        return Call(
            api=self._options.url.strip("/").replace("/", "."),
            requested_model=str(body.get("model") or ""),
            model=reading.model,
            request=body,
            response=reading.response,
            finish=reading.finish,
            input_tokens=reading.input_tokens,
            output_tokens=reading.output_tokens,
            cost_usd=cost_usd(
                reading.model,
                reading.input_tokens,
                reading.output_tokens,
                reading.cached_tokens,
                url=origin.url or str(self._client.base_url),
            ),
            started_s=self._started_s,
            latency_s=time.perf_counter() - self._last,
            waited_s=self._last - self._first,
            attempts=self._attempts,
            error="" if error is None else _describe(error),
            failure="missing" if _is_missing(error) else "",
            source=origin.source,
        )


def _bounded(timeout: Any, limit_s: float) -> Any:
    """`timeout` of the SDK (None, seconds, or seconds for each phase), at most `limit_s`."""
    import httpx2

    if timeout is None or isinstance(timeout, int | float):
        return limit_s if timeout is None else min(timeout, limit_s)
    phases = {name: getattr(timeout, name) for name in ("connect", "read", "write", "pool")}
    return httpx2.Timeout(**{name: _bounded(phase, limit_s) for name, phase in phases.items()})


def _body(options: Any) -> Mapping[str, Any]:
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    return {**body, **(options.extra_json or {})}


def _is_missing(error: BaseException | None) -> bool:
    """Whether a recording was wanted that there is not: no fault of the agent's."""
    return isinstance(error, ElsewhereError) or getattr(error, "code", None) == NO_RECORDING


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")
