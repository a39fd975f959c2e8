"""Meter every request that the openai SDK makes: retried by one rule, timed, recorded.

All APIs of the SDK, sync and async, go through one method of its base client. That method is
replaced for a while, so an agent keeps its client, its own wrappers and its own code. So is the one
through which the `requests` library sends, for the judges of MLflow.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from vcmp.provider.metering.attempts import until_answered
from vcmp.provider.metering.connections import close_with_loop
from vcmp.provider.metering.documents import document_in
from vcmp.provider.metering.exchange import Exchange
from vcmp.provider.metering.inheritance import inherited
from vcmp.provider.metering.posts import metered_send
from vcmp.provider.metering.purse import Ledger
from vcmp.provider.metering.requests import Request
from vcmp.provider.metering.streams import watch
from vcmp.provider.metering.traffic import Brake, Traffic
from vcmp.provider.replacements import replaced
from vcmp.types import Budget, Limits


@contextmanager
def meter(
    limits: Limits, brake: Brake, budget: Budget | None = None, ledger: Ledger | None = None
) -> Iterator[None]:
    """Meter all clients of the openai SDK inside the block, whenever they were made, and what
    scorers ask a model with by the `requests` library, if that is imported before.

    The SDK's own retries are off. A request has `limits.attempts` attempts; what may pass is tried
    again (`retries`). An attempt ends `limits.call_deadline_s` after its start, the reading of a
    stream included. Every POST is recorded as one `Call`, when its reply, stream included, has
    ended; other methods ask no model. Its case is that of the code that started the thread or
    submitted the work to a pool.

    A provider that says "too many requests" is asked more slowly; one that refuses the key, has no
    money left or is not there is given up, and a call that the budget may not do for is not made:
    then the brake is pulled.

    Args:
        limits: Attempts and deadlines.
        brake: While it is pulled no request is sent: `StoppedError` is raised. So it is in a
            thread or task whose case has ended without it.
        budget: What all requests together may take.
        ledger: Knows what earlier requests took, which counts, and keeps what these do.
    """
    traffic = Traffic(limits, brake, budget or Budget(), ledger)
    from openai._base_client import AsyncAPIClient, SyncAPIClient

    with ExitStack() as patches:
        patches.enter_context(inherited())
        for client, wrap in ((SyncAPIClient, _metered), (AsyncAPIClient, _metered_async)):
            request = wrap(client.request, traffic)
            patches.enter_context(replaced(client, "request", request))
        if library := sys.modules.get("requests"):  # else no scorer of MLflow's is there
            send = metered_send(library.Session.send, traffic)
            patches.enter_context(replaced(library.Session, "send", send))
        patches.callback(traffic.close)
        yield


def _metered(send: Callable[..., Any], traffic: Traffic) -> Callable[..., Any]:
    def request(client: Any, cast_to: Any, options: Any, **how: Any) -> Any:
        asked = Request(client, options)
        exchange = Exchange(asked, traffic)

        def send_read() -> Any:
            prepared = asked.options(exchange.mark, traffic.limits.call_deadline_s)
            reply = send(client, cast_to, prepared, **how)
            if (document := document_in(reply)) is not None:
                document.read()
            return reply

        def attempt() -> Any:
            return exchange.answered(exchange.within_deadline(send_read), cast_to)

        return watch(until_answered(exchange, attempt), exchange)

    return request


def _metered_async(send: Callable[..., Any], traffic: Traffic) -> Callable[..., Any]:
    async def request(client: Any, cast_to: Any, options: Any, **how: Any) -> Any:
        asked = Request(client, options)
        exchange = Exchange(asked, traffic)
        await close_with_loop(client._client)
        while True:
            with closing(exchange.turns()) as turns:
                for delay in turns:
                    await asyncio.sleep(delay)
            exchange.begin()
            try:
                async with exchange.deadline():
                    reply = await send(client, cast_to, asked.options(exchange.mark), **how)
                    if (document := document_in(reply)) is not None:
                        await document.aread()
                reply = exchange.answered(reply, cast_to)
            except BaseException as error:
                await asyncio.sleep(exchange.wait_s(error))
            else:
                return watch(reply, exchange)

    return request
