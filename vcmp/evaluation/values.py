"""What agents return, raise and use, as plain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from vcmp.calls import Call
from vcmp.secrets import mask
from vcmp.types import Usage

LONGEST = 20_000
"""Characters of an error or a rationale that are kept; outputs are kept whole."""
_MAX_INT = 10**300
"""Larger integers become text: Python refuses to write them as JSON."""


class NothingReturnedError(ValueError):
    """An agent returned None."""


def as_json(value: Any) -> Any:
    """`value` as JSON can hold it; what JSON does not know (NaN included) becomes text.

    Raises:
        TypeError: `value` is a generator, or an object that nothing but its address tells apart.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < _MAX_INT else hex(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {str(key): as_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(item) for item in value]
        case GeneratorType() | AsyncGeneratorType():
            raise TypeError("the agent returned a generator; return the whole answer")
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if hasattr(value, "model_dump"):
        return as_json(value.model_dump())
    if str(value) == object.__repr__(value):
        raise TypeError(f"the agent returned a {type(value).__name__}, which is not a JSON value")
    return str(value)


def describe(failure: BaseException) -> str:
    """An exception in one line: its class and what it says."""
    if isinstance(failure, NothingReturnedError):
        return str(failure)
    try:
        said = str(failure)
    except Exception as error:
        said = f"(its text raises {type(error).__name__})"
    return abridge(f"{type(failure).__name__}: {said}").rstrip(": ").replace("\n", " ")


def abridge(text: str) -> str:
    """The beginning of an error or a rationale that is too long to be kept in every row."""
    if len(text) <= LONGEST:
        return text
    safe = mask(text)  # first: half of a key would not be known as one
    return f"{safe[:LONGEST]}… ({max(0, len(safe) - LONGEST):,} more characters)"


def total_usage(calls: Sequence[Call]) -> Usage:
    """Sum over the calls; unknown as soon as one call's number is unknown, or there was no call."""

    def total(numbers: Sequence[Any]) -> Any:
        return sum(numbers) if numbers and None not in numbers else None

    return Usage(
        input_tokens=total([call.input_tokens for call in calls]),
        output_tokens=total([call.output_tokens for call in calls]),
        cost_usd=total([call.cost_usd for call in calls]),
    )


def time_awaited(calls: Sequence[Call]) -> float:
    """Seconds in which at least one call was failing or waiting for its next attempt.

    Calls that run at the same time wait at the same time, so it is the length of the union of
    their waits and not their sum.
    """
    spans = sorted((call.started_s, call.started_s + call.waited_s) for call in calls)
    total, end = 0.0, -math.inf
    for begin, stop in spans:
        total += max(0.0, stop - max(begin, end))
        end = max(end, stop)
    return total
