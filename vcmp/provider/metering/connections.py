"""Close the connections of async clients with the event loop that opened them.

An agent keeps its client, and nobody closes it. Its idle connections would belong to a loop that is
gone, and the first requests of the next evaluation would fail on them.
"""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary, ref

_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, MutableMapping[Any, AsyncIterator[None]]] = (
    WeakKeyDictionary()
)


async def close_with_loop(http: Any) -> None:
    """Have the connections of an `httpx2.AsyncClient` closed when the running loop ends.

    The client itself stays usable, in another loop. Known clients cost a look-up.
    """
    clients = _watched.setdefault(asyncio.get_running_loop(), WeakKeyDictionary())
    if http not in clients:
        closing = _until_loop_ends(ref(http))
        clients[http] = closing
        await anext(closing)


async def _until_loop_ends(http: "ref[Any]") -> AsyncIterator[None]:
    """`asyncio.run` closes the generators that were begun in its loop, before the loop itself."""
    try:
        yield
    finally:
        client = http()
        # a client of another kind has its own ways
        transports = [getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()]
        for transport in transports:
            if transport is not None:
                await transport.aclose()
