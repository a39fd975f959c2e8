"""How many requests at once, and how fast, a provider that has said "too many" is asked.

Two limits adapt by additive increase and multiplicative decrease (Chiu and Jain, 1989, "Analysis of
the increase and decrease algorithms for congestion avoidance in computer networks", Computer
Networks and ISDN Systems 17): the requests in flight, and the requests begun a second, since a
server that counts requests a second is not calmed by fewer at once when it answers at once. Below
the rate that was last refused the rate grows fast, above it slowly (as in CUBIC: Ha, Rhee and Xu,
2008, ACM SIGOPS Operating Systems Review 42).
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable

DECREASE = 0.7
"""What is left of the rate after a refusal."""
DOUBLING = 2.0
RECOVERY = 1.5
PROBING = 1.08
"""Growth of the rate in a second: before it was ever too high, below the rate that was, above."""
EPISODE_S = 0.3
"""Refusals within so many seconds are one: what was under way could not know of the first."""
LEAST_PER_S = 0.2
POLL_S = 0.02


class Throttle:
    """One provider's traffic; there is no limit until it refuses a request with "too many".

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[object] = deque()
        self._in_flight = 0
        self._most = math.inf
        self._width = math.inf
        self._rate = math.inf
        self._known_rate = math.inf
        self._grown_s = self._next_s = 0.0
        self._calmed_s = -math.inf
        self.n_passed = 0
        """Requests that were answered, so far."""

    def line_up(self) -> object:
        """Take a place in the line of requests that want to begin."""
        place = object()
        with self._lock:
            self._line.append(place)
        return place

    def leave_line(self, place: object) -> None:
        """Give a place up."""
        with self._lock:
            if place in self._line:
                self._line.remove(place)

    def try_begin(self, place: object) -> float:
        """Begin a request, first come first served.

        Returns:
            0 when it has begun, and left the line; else seconds after which to try again.
        """
        with self._lock:
            now = self._clock()
            self._grow(now)
            if self._line[0] is not place or self._in_flight >= max(1, int(min(self._width, 1e9))):
                return POLL_S
            if now < self._next_s:
                return min(self._next_s - now, 10 * POLL_S)
            self._line.popleft()
            self._in_flight += 1
            self._next_s = now + 1 / self._rate
            return 0.0

    def end(self) -> None:
        """A request has ended, with whatever reply."""
        with self._lock:
            self._in_flight -= 1

    def passed(self) -> None:
        """A request was answered."""
        with self._lock:
            self.n_passed += 1
            self._width = min(self._width + 1, self._most)

    def refused(self, begun_s: float, asked_s: float) -> None:
        """A request was refused with "too many".

        Args:
            begun_s: When it began, by the clock.
            asked_s: Seconds that the provider asks to wait.
        """
        with self._lock:
            now = self._clock()
            self._next_s = max(self._next_s, now + asked_s)
            if begun_s <= self._calmed_s + EPISODE_S:
                return
            self._grow(now)
            self._slow_down(now)

    def _slow_down(self, now: float) -> None:
        at_once = max(self._in_flight, 1)
        if math.isinf(self._rate):
            self._most = self._width = at_once
            self._rate = at_once
        else:
            first = math.isinf(self._known_rate)
            self._known_rate = (0.75 if first else 0.97) * self._rate
            self._rate = max(DECREASE * self._rate, LEAST_PER_S)
        self._width = max(self._width / 2, 1.0)
        self._grown_s = self._calmed_s = now
        self._next_s = max(self._next_s, now + 1 / self._rate)

    def _grow(self, now: float) -> None:
        if math.isinf(self._rate):
            return
        elapsed, self._grown_s = now - self._grown_s, now
        if self._rate < self._known_rate:
            fast = DOUBLING if math.isinf(self._known_rate) else RECOVERY
            self._rate = min(self._rate * fast**elapsed, self._known_rate)
        else:
            self._rate = self._known_rate = self._rate * PROBING**elapsed
