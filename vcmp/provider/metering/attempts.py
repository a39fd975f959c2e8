"""A sync request, attempt by attempt."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from vcmp.provider.metering.exchange import Exchange

T = TypeVar("T")


def until_answered(exchange: Exchange, attempt: Callable[[], T]) -> T:
    """What the first attempt that is answered gives; raise what the last one fails with.

    Args:
        exchange: Of the request; says when an attempt may begin, and whether there is another.
        attempt: Sends the request once.

    Raises:
        StoppedError: Nothing is to be sent any more.
    """
    while True:
        with closing(exchange.turns()) as turns:
            for delay in turns:
                time.sleep(delay)
        exchange.begin()
        try:
            return attempt()
        except BaseException as error:
            time.sleep(exchange.wait_s(error))
