"""A request to one of vcmp's own servers says what it is made for.

The meter marks what it meters; what other code of this process sends by the standard library
(`requests`, urllib) is marked on its way out. Nobody else's
server is ever sent a mark, and what a child process sends has none.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from typing import Any

from vcmp.calls import Slot, slot
from vcmp.provider.replacements import replaced

HEADER = "x-vcmp-slot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the header says."""

    slot: Slot | None = None
    number: int | None = None
    """Which of the slot's calls with one body it is, counted from 0; None when nobody counted."""
    token: str = ""
    """Under which the sender wants to be told who answered; the same for every attempt."""

    def write(self) -> str:
        """As a header: JSON in ASCII."""
        return json.dumps(asdict(self))


def read_mark(header: str | None) -> Mark:
    """What a request's header says; nothing when there is none, or one of somebody else's."""
    with suppress(ValueError, TypeError, AttributeError):
        said = json.loads(header or "{}")
        of = said.pop("slot", None)
        return Mark(slot=Slot(**of) if of else None, **said)
    return Mark()


_sending: ContextVar[Mark | None] = ContextVar("vcmp_sending", default=None)


@contextmanager
def sending(mark: Mark | None) -> Iterator[None]:
    """What `http.client` sends inside the block has this mark, if any."""
    token = _sending.set(mark)
    try:
        yield
    finally:
        _sending.reset(token)


@contextmanager
def marked_http(is_own: Callable[[str], bool]) -> Iterator[None]:
    """Mark the requests that `http.client` sends, for whomever, to an address that `is_own`."""
    send = HTTPConnection.endheaders

    def endheaders(connection: HTTPConnection, *body: Any, **how: Any) -> None:
        of = slot()
        mark = _sending.get() or (Mark(slot=of) if of else None)
        if mark and is_own(f"http://{connection.host}:{connection.port}"):
            connection.putheader(HEADER, mark.write())
        send(connection, *body, **how)

    with replaced(HTTPConnection, "endheaders", endheaders):
        yield
