"""When to ask again, and how long to wait before.

Exponential backoff with full jitter (Brooker, 2015, "Exponential Backoff and Jitter"): the wait is
uniform between 0 and `BASE_S` doubled with every attempt, at most `CAP_S`. What the server asks for
in `retry-after-ms` or `Retry-After` is the least that is waited.
"""

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

BASE_S = 0.5
CAP_S = 8.0


def backoff_s(attempt: int, error: BaseException) -> float:
    """Seconds to wait after the `attempt`-th attempt, counted from 1, failed with `error`."""
    jitter = random.uniform(0.0, min(CAP_S, BASE_S * 2 ** (attempt - 1)))
    return max(jitter, asked_s(error))


def asked_s(error: BaseException) -> float:
    """Seconds that the server asks to wait; 0 when it asks nothing that can be understood."""
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = {} if response is None else response.headers
    after = headers.get("retry-after", "")
    seconds = _number(headers.get("retry-after-ms", ""), unit_s=0.001)
    if seconds is None:
        seconds = _number(after, unit_s=1.0)
    return max(_until(after) if seconds is None else seconds, 0.0)


def _number(text: str, unit_s: float) -> float | None:
    try:
        seconds = float(text) * unit_s
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _until(date: str) -> float:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return (then - datetime.now(UTC)).total_seconds()
