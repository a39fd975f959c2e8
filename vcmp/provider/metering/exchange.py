"""One request, from its first attempt to its end."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from vcmp.calls import Call, Failure, abandoned, record, slot, take_number
from vcmp.provider.loopback import origins
from vcmp.provider.loopback.marks import Mark
from vcmp.provider.loopback.origins import ElsewhereError, Origin
from vcmp.provider.metering.documents import document_in, lack_of_document
from vcmp.provider.metering.failures import (
    PASSING,
    UNCHARGED,
    UNPAID,
    BrokenReplyError,
    StoppedError,
    explained,
    failure_of,
)
from vcmp.provider.metering.pace import Place
from vcmp.provider.metering.patience import within
from vcmp.provider.metering.payment import Payment, price_of
from vcmp.provider.metering.prices import cost_usd
from vcmp.provider.metering.purse import Price
from vcmp.provider.metering.readings import Reading, lack_of
from vcmp.provider.metering.requests import Asked
from vcmp.provider.metering.retries import asked_s, backoff_s
from vcmp.provider.metering.traffic import Traffic
from vcmp.secrets import scrub

PATIENCE = 4
"""So many times the attempts are made, at most, of a request that others are in the way of."""


class Exchange:
    """What has happened to one request so far; records it once, when it has ended.

    Args:
        request: What is asked, of whom.
        traffic: What all requests share.
    """

    def __init__(self, request: Asked, traffic: Traffic) -> None:
        self._request = request
        self._traffic = traffic
        self._limits = traffic.limits
        self._line = f"{self._request.base_url} {self._request.model}"
        self._throttle = traffic.throttle(self._line)
        self._n_passed = self._throttle.n_passed
        # a stream may be read to its end, or collected as garbage, while another case is running
        self._context = copy_context()
        self._attempts = 0
        self._congested = 0
        self._payment = Payment(request, traffic)
        self._started_s = time.time()
        self._first = self._last = time.perf_counter()
        self._place = Place()
        self._ended = False
        self._ending = threading.RLock()
        self.mark: Mark | None = None
        """What is sent with the request, if anything, from the first attempt on."""

    def _marked(self) -> Mark | None:
        """What one of vcmp's own servers is told of the request; nothing for any other."""
        if not origins.is_own(self._request.base_url):
            return None
        of = slot()
        return Mark(
            slot=of,
            number=None if of is None else take_number(self._request.digest),
            token=origins.expect(self._may_ask) if self._request.asks else "",
        )

    def turns(self) -> Generator[float]:
        """Seconds to wait, again and again, until an attempt may begin.

        Raises:
            StoppedError: Nothing is to be sent any more, or it would pass the budget.
            ElsewhereError: Only recordings may answer, and the client does not ask for them.
        """
        try:
            origins.refuse_elsewhere(self._request.base_url)
        except ElsewhereError as refusal:
            self.end(error=refusal)
            raise
        self._place = self._throttle.line_up()
        try:
            self._check_stop()
            while delay := self._throttle.try_begin(self._place):
                yield delay
                self._check_stop()
        finally:
            self._throttle.leave_line(self._place)
        try:
            yield from self._paid_for()
        except BaseException:
            self._throttle.end()
            raise

    def _paid_for(self) -> Generator[float]:
        overrun = yield from self._payment.turns(self._check_stop)
        if overrun:
            self._traffic.brake.stop(overrun.reason, overrun.mend)
            self._check_stop()

    def hand_over(self) -> None:
        """Its reply is read by the agent, at its leisure."""
        self._payment.hand_over()

    def _may_ask(self) -> bool:
        return not self._ended and self._payment.may_ask()

    def begin(self) -> None:
        """Start an attempt, whose turn it is."""
        if self.mark is None:
            self.mark = self._marked()
        self._attempts += 1
        self._last = time.perf_counter()

    def _check_stop(self) -> None:
        if self._traffic.brake.requested() or abandoned():
            error = StoppedError("the evaluation is being stopped, no request is sent")
            if self._attempts:
                self.end(error=error)
            raise error

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Raise the request's timeout when the attempt's time is over."""
        left = self._last + self._limits.call_deadline_s - time.perf_counter()
        try:
            async with asyncio.timeout(left) as timer:
                yield
        except TimeoutError:
            if timer.expired():
                raise self._request.timeout() from None
            raise

    def within_deadline(self, function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """What a sync function gives; raise the request's timeout when the time is over."""
        left = self._last + self._limits.call_deadline_s - time.perf_counter()
        try:
            return within(left, function, *args, **kw)
        except TimeoutError:
            raise self._request.timeout() from None

    def answered(self, reply: Any, cast_to: Any) -> Any:
        """`reply`, unless it is none.

        Raises:
            JSONDecodeError: A proxy answered in the model's place. The SDK hands over a 200 that is
                no JSON as text, or as a stream, and the agent would fail far from here.
            BrokenReplyError: It has no answer in it.
        """
        if isinstance(reply, str) and cast_to is not str:
            raise json.JSONDecodeError("the reply is not JSON", reply[:200], 0)
        document = document_in(reply)
        lack = lack_of(reply) if document is None else lack_of_document(document)
        if lack and self._request.asks:  # what is looked up may be an answer that has failed
            raise BrokenReplyError(lack)
        self._throttle.end()
        self._throttle.passed()
        self._note("", "")
        return reply

    def wait_s(self, error: BaseException) -> float:
        """Seconds until the next attempt; raises `error` again when there is to be none."""
        self._throttle.end()
        if getattr(error, "code", None) == UNPAID:  # no attempt: no model was asked
            self._attempts -= 1
            self._payment.beforehand = True
            return 0.0
        error = explained(error)
        failure = failure_of(error)
        if failure == "rate":
            self._throttle.refused(self._place, asked_s(error))
            # while others pass it is one of too many, and waits for its turn
            self._congested += self._throttle.n_passed > self._n_passed
        if failure in PASSING and self._may_repeat():
            wait = backoff_s(self._attempts, error)
            if wait < self._limits.case_deadline_s:
                self._payment.settle(Price() if failure in UNCHARGED else None)
                return wait
        self.end(error=error)
        raise error

    def _may_repeat(self) -> bool:
        spent = max(self._attempts - self._congested, self._attempts / PATIENCE)
        return spent < self._limits.attempts and self._request.repeatable

    def end(self, reading: Reading | None = None, error: BaseException | None = None) -> None:
        """Record the request; what comes after the first call is ignored."""
        with self._ending:  # whoever comes second finds it recorded
            if not self._ended and self._request.asks:
                self._ended = True
                self._record(reading or Reading(), error)

    def _record(self, reading: Reading, error: BaseException | None) -> None:
        origin = origins.take(self.mark.token) if self.mark else Origin()
        if isinstance(error, ElsewhereError):
            origin = Origin(source="replayed")  # nothing was sent
        call = self._call(reading, error, origin)
        if error is not None:
            self._note(call.failure, call.error)
        if call.source == "live":
            # a server of vcmp's own that asked nobody is not paid
            free = self.mark is not None and not origin.url
            self._payment.settle(price_of(call, free=free))
        else:
            self._payment.settle(Price(), sent=False)
        self._context.run(record, call)

    def _note(self, failure: Failure, said: str) -> None:
        reason = self._traffic.circuit.note(self._line, failure, said)
        if reason:
            self._traffic.brake.stop(scrub(reason))

    def _call(self, reading: Reading, error: BaseException | None, origin: Origin) -> Call:
        return Call(
            api=self._request.api,
            requested_model=self._request.model,
            model=reading.model,
            request=self._request.body,
            response=reading.response,
            finish=reading.finish,
            input_tokens=reading.input_tokens,
            output_tokens=reading.output_tokens,
            cost_usd=cost_usd(
                reading.model,
                reading.input_tokens,
                reading.output_tokens,
                reading.cached_tokens,
                url=origin.url or self._request.base_url,
            ),
            started_s=self._started_s,
            latency_s=time.perf_counter() - self._last,
            waited_s=self._last - self._first,
            attempts=self._attempts,
            error="" if error is None else _describe(error),
            failure="" if error is None else failure_of(error),
            fingerprint=reading.fingerprint,
            source=origin.source,
        )


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")
