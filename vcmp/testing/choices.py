"""Which fault a request meets: by script, by a function of it, or by a rate limit."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vcmp.testing.faults import Fault, answer, rate_limit
from vcmp.testing.replies import Form, check_form
from vcmp.testing.requests import Received

Choose = Callable[[Received], Fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many requests a second and no more: a bucket that holds `burst` of them and fills up at
    `per_s`. What finds it empty is answered with 429 at once.
    """

    per_s: float
    burst: int = 1
    form: Form | None = "ms"
    """How the refusal says when there will be room (`seconds` are whole ones); None: it does not
    say."""

    def __post_init__(self) -> None:
        if not self.per_s > 0 or self.burst < 1:
            raise ValueError(
                f"per_s is {self.per_s!r} and burst {self.burst!r}: above 0, and at least 1"
            )
        if self.form is not None:
            check_form(self.form)


class Script:
    """Faults in order of arrival; the last one repeats."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = tuple(faults) or (answer(),)
        self._position = 0
        self._lock = threading.Lock()

    def __call__(self, _received: Received) -> Fault:
        with self._lock:
            fault = self._faults[min(self._position, len(self._faults) - 1)]
            self._position += 1
        return fault


class Late:
    """What `choose` chooses, later."""

    def __init__(self, choose: Choose, latency_s: float | Callable[[Received], float]) -> None:
        self._choose = choose
        self._latency_s = latency_s

    def __call__(self, received: Received) -> Fault:
        fault = self._choose(received)
        if not isinstance(fault, Fault):
            raise TypeError(f"choose returned {fault!r}, not one of vcmp.testing.faults")
        latency = self._latency_s
        latency_s = latency(received) if callable(latency) else latency
        return replace(fault, delay_s=fault.delay_s + latency_s)


class Bucket:
    """What `choose` chooses, for those within the limit: the others do not take from a script."""

    def __init__(self, choose: Choose, limit: RateLimit) -> None:
        self._choose = choose
        self._limit = limit
        self._filled = float(limit.burst)
        self._seen_s = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, received: Received) -> Fault:
        wait_s = self._take()
        if not wait_s:
            return self._choose(received)
        form = self._limit.form
        if form is None:
            return replace(rate_limit(), name="over_limit")
        told_s = math.ceil(wait_s) if form == "seconds" else math.ceil(1000 * wait_s) / 1000
        return replace(rate_limit(told_s, form), name="over_limit")

    def _take(self) -> float:
        """Take one out; the seconds until there is one if there is none."""
        with self._lock:
            now = time.monotonic()
            gained = (now - self._seen_s) * self._limit.per_s
            self._filled = min(self._limit.burst, self._filled + gained)
            self._seen_s = now
            if self._filled >= 1:
                self._filled -= 1
                return 0.0
            return (1 - self._filled) / self._limit.per_s
