"""When to ask again, and how long to wait before.

Exponential backoff with full jitter (Brooker, 2015, "Exponential Backoff and Jitter"): the wait is
uniform between 0 and `BASE_S` doubled with every attempt, at most `CAP_S`. What the server asks for
in `retry-after-ms` or `Retry-After` is the least that is waited.
"""

import json
import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

BASE_S = 0.5
CAP_S = 8.0
WORTH_RETRYING = {408, 409, 429}
OUT_OF_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
"""Error codes that come with status 429 and that no waiting mends."""


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    import openai

    if isinstance(error, openai.APIStatusError):
        if OUT_OF_MONEY & {error.code, error.type}:
            return False
        return error.status_code in WORTH_RETRYING or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | json.JSONDecodeError | UnicodeDecodeError)


def backoff_s(attempt: int, error: BaseException) -> float:
    """Seconds to wait after the `attempt`-th attempt, counted from 1, failed with `error`."""
    jitter = random.uniform(0.0, min(CAP_S, BASE_S * 2 ** (attempt - 1)))
    response = getattr(error, "response", None)
    return max(jitter, 0.0 if response is None else asked_s(response.headers))


def asked_s(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait; 0 when it asks nothing that can be understood."""
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
