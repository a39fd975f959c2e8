"""Meter every request that the openai SDK makes: retried by one rule, timed, recorded.

All APIs of the SDK, sync and async, go through one method of its base client. That method is
replaced for a while, so an agent keeps its client, its own wrappers and its own code.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from vcmp.calls import abandoned
from vcmp.provider.connections import close_with_loop
from vcmp.provider.exchange import Exchange, StoppedError
from vcmp.provider.streams import watch
from vcmp.types import Limits

__all__ = ["StoppedError", "meter"]


@contextmanager
def meter(limits: Limits, stopping: Callable[[], bool]) -> Iterator[None]:
    """Meter all clients of the openai SDK inside the block, whenever they were made.

    The SDK's own retries are off. A request has `limits.attempts` attempts; what may pass is tried
    again (`vcmp.provider.retries`). An attempt of an async client ends `limits.call_deadline_s`
    after its start, the reading of a stream included; a sync client cannot be interrupted, so there
    the deadline bounds each read. Every POST is recorded as one `Call`, when its reply, stream
    included, has ended; other methods ask no model.

    Args:
        limits: Attempts and deadlines.
        stopping: While it says True no request is sent: `StoppedError` is raised. So it is in a
            thread or task whose case has ended without it.
    """
    from openai._base_client import AsyncAPIClient, SyncAPIClient

    with ExitStack() as patches:
        for client, wrap in ((SyncAPIClient, _metered), (AsyncAPIClient, _metered_async)):
            request = wrap(client.request, limits, stopping)
            patches.enter_context(_replaced(client, "request", request))
        yield


@contextmanager
def _replaced(owner: type, name: str, function: Callable[..., Any]) -> Iterator[None]:
    before = owner.__dict__[name]
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _metered(
    send: Callable[..., Any], limits: Limits, stopping: Callable[[], bool]
) -> Callable[..., Any]:
    def request(client: Any, cast_to: Any, options: Any, **how: Any) -> Any:
        exchange = Exchange(client, options, limits)
        while True:
            exchange.begin(stopping() or abandoned())
            try:
                prepared = exchange.options(timeout_s=limits.call_deadline_s)
                reply = exchange.checked(send(client, cast_to, prepared, **how), cast_to)
            except BaseException as error:
                time.sleep(exchange.wait_s(error))
            else:
                return watch(reply, exchange)

    return request


def _metered_async(
    send: Callable[..., Any], limits: Limits, stopping: Callable[[], bool]
) -> Callable[..., Any]:
    async def request(client: Any, cast_to: Any, options: Any, **how: Any) -> Any:
        exchange = Exchange(client, options, limits)
        await close_with_loop(client._client)
        while True:
            exchange.begin(stopping() or abandoned())
            try:
                async with exchange.deadline():
                    reply = await send(client, cast_to, exchange.options(), **how)
                reply = exchange.checked(reply, cast_to)
            except BaseException as error:
                await asyncio.sleep(exchange.wait_s(error))
            else:
                return watch(reply, exchange)

    return request
