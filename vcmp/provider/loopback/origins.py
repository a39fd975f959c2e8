"""Who answered a call that went to one of vcmp's own servers, known inside of this process alone.

A reply of the openai SDK does not show its headers, so a server leaves word here, under the token
that came with the request.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from vcmp.calls import Source
from vcmp.provider.loopback.marks import marked_http

Refuse = Callable[[str], None]


class ElsewhereError(RuntimeError):
    """A request was to leave this machine while only recordings may answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a reply came from."""

    source: Source = "live"
    url: str = ""
    """Base URL of the API that was asked, now or when it was recorded; "" for the client's own."""


_lock = threading.Lock()
_servers: dict[str, Refuse | None] = {}
_marking = ExitStack()
_awaited: dict[str, Origin] = {}
_asking_leave: set[str] = set()
_leaves: dict[str, Callable[[], bool]] = {}


@contextmanager
def serving(url: str, *, alone: Refuse | None = None, asks_leave: bool = False) -> Iterator[None]:
    """Count the server at `url` among vcmp's own.

    Args:
        url: Its base URL.
        alone: Given when no other server may be asked meanwhile; it is told what was refused.
        asks_leave: Whether it asks `may_ask` before it asks a model itself.
    """
    address = urlsplit(url).netloc
    with _lock:
        if not _servers:
            _marking.enter_context(marked_http(is_own))
        _servers[address] = alone
        _asking_leave.update([address] if asks_leave else [])
    try:
        yield
    finally:
        with _lock:
            del _servers[address]
            _asking_leave.discard(address)
            if not _servers:
                _marking.close()


def is_own(url: str) -> bool:
    """Whether a server of vcmp's own listens there."""
    return urlsplit(url).netloc in _servers


def asks_leave(url: str) -> bool:
    """Whether a server of vcmp's own listens there that costs nothing unless it is given leave."""
    return urlsplit(url).netloc in _asking_leave


def refuse_elsewhere(url: str) -> None:
    """Raise an `ElsewhereError` when only recordings may answer, and `url` is not theirs."""
    refusals = [refuse for refuse in list(_servers.values()) if refuse]
    if not refusals or is_own(url):
        return
    parts = urlsplit(url)
    message = (
        f"provider=replay sends nothing to {parts.scheme}://{parts.netloc.rpartition('@')[2]}, the"
        " address that the agent's client was given.\n"
        "  Let the client take its address from OPENAI_BASE_URL, and record it: provider=record"
    )
    for refuse in refusals:
        refuse(message)
    raise ElsewhereError(message)


def expect(leave: Callable[[], bool]) -> str:
    """A token under which word is waited for, until it is taken.

    Args:
        leave: Says whether a model may be asked for a reply that a server does not have.
    """
    token = uuid4().hex
    _awaited[token], _leaves[token] = Origin(), leave
    return token


def may_ask(token: str) -> bool:
    """Whether a model may be asked for whoever waits under the token; "" stands for one that
    nobody counts, as a child process of an agent."""
    with _lock:
        leave = _leaves.get(token)
    return not token or (leave is not None and leave())


def tell(token: str, origin: Origin) -> None:
    """Leave word for whoever waits for it."""
    with _lock:
        if token in _awaited:
            _awaited[token] = origin


def take(token: str) -> Origin:
    """What was told, the last thing counting; nobody waits any more."""
    with _lock:
        _leaves.pop(token, None)
        return _awaited.pop(token, Origin())
