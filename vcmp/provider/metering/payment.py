"""What a request may take, set aside before it is sent, and what it took."""

import time
from collections.abc import Callable, Generator
from dataclasses import replace

from vcmp.calls import Call, postpone, slot
from vcmp.provider.loopback import origins
from vcmp.provider.metering.failures import UNCHARGED
from vcmp.provider.metering.purse import Overrun, Price
from vcmp.provider.metering.requests import Asked
from vcmp.provider.metering.throttle import POLL_S
from vcmp.provider.metering.traffic import Traffic


class Payment:
    """The budget's side of one request; there is none for a request that asks no model.

    Args:
        request: What is asked, of whom.
        traffic: What all requests share.
    """

    def __init__(self, request: Asked, traffic: Traffic) -> None:
        self._request = request
        self._traffic = traffic
        self._reserved: Price | None = None
        self._owner = slot()
        self._handed_over = False
        self.beforehand = request.asks and not origins.asks_leave(request.base_url)
        """Whether it is paid for before it is sent; else a server of vcmp's own, which may have a
        reply of its own, asks for leave."""

    def turns(self, check: Callable[[], None]) -> Generator[float, None, Overrun | None]:
        """Seconds to wait, again and again, until what an attempt takes at worst is set aside.

        Args:
            check: Called after each wait; what it raises ends them.

        Returns:
            Why it never can be; None when it is.
        """
        if not self.beforehand:
            return None
        purse = self._traffic.purse
        worst = purse.price(self._request.body, self._request.base_url)
        place = purse.line_up(self._owner)
        try:
            while not (reserved := purse.reserve(worst, self._request.model, place)):
                began_s = time.monotonic()
                yield POLL_S
                check()
                postpone(time.monotonic() - began_s)
        finally:
            purse.leave_line(place, self._owner)
        if isinstance(reserved, Overrun):
            return reserved
        self._reserved = worst
        return None

    def may_ask(self) -> bool:
        """Whether a server of vcmp's own, which has no reply itself, may ask a model for it."""
        if self._reserved is None:
            worst = self._traffic.purse.price(self._request.body, self._request.base_url)
            if self._traffic.purse.reserve(worst, self._request.model) is True:
                self._reserved = worst
        return self._reserved is not None

    def hand_over(self) -> None:
        """The reply is a stream, and in the hands of the agent: who knows when it has ended."""
        if self._reserved is not None and not self._handed_over:
            self._handed_over = True
            self._traffic.purse.hand_over(self._owner)

    def settle(self, spent: Price | None, *, sent: bool = True) -> None:
        """Put back what was set aside and not spent. What is not known was spent at worst."""
        if self._reserved is None:
            return
        if spent is None or spent.usd is None:
            worst = self._traffic.purse.worst_price(self._request.body, self._request.base_url)
            spent = replace(worst, tokens=spent.tokens) if spent else worst
        self._traffic.settle(self._reserved, spent, sent=sent)
        self._reserved = None
        if self._handed_over:
            self._handed_over = False
            self._traffic.purse.take_back(self._owner)


def price_of(call: Call, *, free: bool) -> Price | None:
    """What a call took; None when nobody knows.

    Args:
        call: The call.
        free: Whether nobody is paid for it, where its price is unknown.
    """
    if call.failure in UNCHARGED:
        return Price()
    if call.input_tokens is None or call.output_tokens is None:
        return None
    usd = 0.0 if free and call.cost_usd is None else call.cost_usd
    return Price(tokens=call.input_tokens + call.output_tokens, usd=usd)
