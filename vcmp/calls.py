"""Calls: what an agent, or a judge, asked a language model while one case was running.

A provider that sees a request go by records it here; the evaluation loop collects what belongs to
its case. The collection travels in a context variable, so it follows the case through tasks and
worker threads, and interleaved cases do not mix.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

Failure = Literal[
    "", "auth", "quota", "rate", "request", "server", "connection", "timeout", "reply", "missing",
    "stopped", "other",
]  # fmt: skip
"""Kinds of errors of a call: the key is refused; the account is empty; too many requests; another
request that the server refuses; it breaks; it is not there; it takes too long; its reply cannot be
read; no recording of it; it was not sent any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a language model, whatever number of attempts it took.

    Token counts are None when the reply did not state them, `cost_usd` when the price of `model`
    is unknown or nothing was charged. `model` is what the reply said answered, `requested_model`
    what was asked for.
    """

    api: str
    requested_model: str = ""
    model: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    response: Any = None
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    started_s: float = 0.0
    """Unix time of the first attempt, in seconds."""
    latency_s: float = 0.0
    """Seconds from the start of the last attempt to its end."""
    waited_s: float = 0.0
    """Seconds spent on earlier attempts and on waiting between them."""
    attempts: int = 1
    error: str = ""
    failure: Failure = ""
    """Which kind of error it was; "" for none."""
    fingerprint: str = ""
    """The provider's name for the configuration that answered (`system_fingerprint`)."""


@dataclass(slots=True)
class _Collection:
    calls: list[Call] = field(default_factory=list)
    open: bool = True


_collection: ContextVar[_Collection | None] = ContextVar("vcmp_calls", default=None)


@contextmanager
def collect() -> Iterator[list[Call]]:
    """Collect the calls made inside the block, in the order in which they ended."""
    collection = _Collection()
    token = _collection.set(collection)
    try:
        yield collection.calls
    finally:
        collection.open = False
        _collection.reset(token)


def record(call: Call) -> None:
    """Add `call` to the collection it was made in; outside of one it is forgotten."""
    collection = _collection.get()
    if collection is not None and collection.open:
        collection.calls.append(call)


def abandoned() -> bool:
    """Whether this code runs for a case that has ended without it: its answer came too late."""
    collection = _collection.get()
    return collection is not None and not collection.open
