"""Calls: what an agent, or a judge, asked a language model while one case was running.

A provider that sees a request go by records it here; the evaluation loop collects what belongs to
its case. The collection travels in a context variable, so it follows the case through tasks and
worker threads, and interleaved cases do not mix.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


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


_collection: ContextVar[list[Call] | None] = ContextVar("vcmp_calls", default=None)


@contextmanager
def collect() -> Iterator[list[Call]]:
    """Collect the calls made inside the block, in the order in which they ended."""
    calls: list[Call] = []
    token = _collection.set(calls)
    try:
        yield calls
    finally:
        _collection.reset(token)


def record(call: Call) -> None:
    """Add `call` to the collection it was made in; outside of one it is forgotten."""
    calls = _collection.get()
    if calls is not None:
        calls.append(call)
