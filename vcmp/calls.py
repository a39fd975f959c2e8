"""Calls: what an agent, or a judge, asked a language model while one case was running.

A provider that sees a request go by records it here; the evaluation loop collects what belongs to
its case. The collection travels in a context variable, so it follows the case through tasks and
threads, and interleaved cases do not mix.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Failure = Literal[
    "", "auth", "quota", "rate", "request", "server", "connection", "timeout", "reply", "missing",
    "stopped", "other",
]  # fmt: skip
"""Kinds of errors of a call: the key is refused; the account is empty; too many requests; another
request that the server refuses; it breaks; it is not there; it takes too long; its reply cannot be
read; no recording of it; it was not sent any more."""
Source = Literal["live", "cached", "replayed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What a call is made for, the same in every run of the same evaluation."""

    variant: str
    case_id: str
    repeat: int
    scorer: str = ""
    """The metric that is being scored; "" for the agent's own calls."""


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
    source: Source = "live"
    """Whether a model was asked, or the reply is one that was recorded: then `latency_s` is no
    model's, and `cost_usd` is what was paid when it was recorded."""


class Unfinished(Protocol):
    """A call that ends when its reply has been read."""

    def end(self) -> None:
        """Record it, unless that is done."""
        ...


@dataclass(slots=True)
class _Collection:
    slot: Slot | None = None
    calls: list[Call] = field(default_factory=list)
    open: bool = True
    asked: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    unfinished: list["Unfinished"] = field(default_factory=list)
    """Kept, since who collects one as garbage may be a thread that is too late."""


_collection: ContextVar[_Collection | None] = ContextVar("vcmp_calls", default=None)


@contextmanager
def collect(slot: Slot | None = None) -> Iterator[list[Call]]:
    """Collect the calls made inside the block, in the order in which they ended.

    Args:
        slot: What they are made for.
    """
    collection = _Collection(slot)
    token = _collection.set(collection)
    try:
        yield collection.calls
    finally:
        for call in collection.unfinished:
            call.end()
        collection.unfinished.clear()
        collection.open = False
        _collection.reset(token)


_inherited: ContextVar[_Collection | None] = ContextVar("vcmp_inherited", default=None)


def inherit() -> None:
    """Say that this context goes to a thread, which may outlive its case to work for others.

    Then what it asks belongs to no case, and is not taken for an answer that came too late.
    """
    _inherited.set(_collection.get())


def _here() -> _Collection | None:
    """The collection of this code, if it has one."""
    collection = _collection.get()
    if collection is None or (collection is _inherited.get() and not collection.open):
        return None
    return collection


_scoring: ContextVar[bool] = ContextVar("vcmp_scoring", default=False)


@contextmanager
def scoring(on: bool = True) -> Iterator[None]:
    """A scorer runs inside the block, and what it asks a model with is a call, however it asks."""
    token = _scoring.set(on)
    try:
        yield
    finally:
        _scoring.reset(token)


def is_scoring() -> bool:
    """Whether a scorer runs this code."""
    return _scoring.get()


_postpone: ContextVar[Callable[[float], None] | None] = ContextVar("vcmp_postpone", default=None)


@contextmanager
def postponing(deadline: Callable[[float], None]) -> Iterator[None]:
    """What waits inside the block for others of the sweep may have `deadline` put off."""
    token = _postpone.set(deadline)
    try:
        yield
    finally:
        _postpone.reset(token)


def postpone(seconds: float) -> None:
    """Put off the deadline of what this code runs for, by what it has waited for others."""
    if put_off := _postpone.get():
        put_off(seconds)


def expect(call: Unfinished) -> None:
    """Have `call` ended with its collection, should nobody read its reply to the end."""
    collection = _here()
    if collection is not None and collection.open:
        collection.unfinished.append(call)


def record(call: Call) -> None:
    """Add `call` to the collection it was made in; outside of one it is forgotten."""
    collection = _here()
    if collection is not None and collection.open:
        collection.calls.append(call)


def abandoned() -> bool:
    """Whether this code runs for a case that has ended without it: its answer came too late."""
    collection = _here()
    return collection is not None and not collection.open


def slot() -> Slot | None:
    """What the calls made here are for; None outside of an evaluation."""
    collection = _here()
    return None if collection is None else collection.slot


def take_number(request: str) -> int:
    """How many calls with the same request were begun before this one, in the same collection.

    Args:
        request: Digest of what is asked.
    """
    collection = _here()
    if collection is None:
        return 0
    with collection.lock:
        collection.asked[request] += 1
        return collection.asked[request] - 1
