"""How many requests at once a provider that has said "too many" is asked, and in which order.

Those in flight are halved when one is refused and grow by one with each that is answered: additive
increase and multiplicative decrease (Chiu and Jain, 1989, "Analysis of the increase and decrease
algorithms for congestion avoidance in computer networks", Computer Networks and ISDN Systems 17).
A server that answers at once is not calmed by fewer at once: `Pace` limits how many begin a second.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from vcmp.provider.metering.pace import Pace, Place

POLL_S = 0.02


class Throttle:
    """One provider's traffic; there is no limit until it refuses a request with "too many".

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[Place] = deque()
        self._pace = Pace()
        self._in_flight = 0
        self._width = math.inf
        self.n_passed = 0
        """Requests that were answered, so far."""

    def line_up(self) -> Place:
        """Take a place in the line of requests that want to begin."""
        place = Place()
        with self._lock:
            self._line.append(place)
        return place

    def leave_line(self, place: Place) -> None:
        """Give a place up."""
        with self._lock:
            if place in self._line:
                self._line.remove(place)

    def try_begin(self, place: Place) -> float:
        """Begin a request, first come first served.

        Returns:
            0 when it has begun, and left the line; else seconds after which to try again.
        """
        with self._lock:
            now = self._clock()
            if self._line[0] is not place or self._in_flight + 1 > self._width:
                return POLL_S
            if wait := self._pace.wait_s(now):
                return min(wait, 2 * POLL_S)  # its rate may grow meanwhile
            self._line.popleft()
            self._in_flight += 1
            self._pace.begin(place, now)
            return 0.0

    def end(self) -> None:
        """A request has ended, with whatever reply."""
        with self._lock:
            self._in_flight -= 1

    def passed(self) -> None:
        """A request was answered."""
        with self._lock:
            self.n_passed += 1
            self._width += 1

    def refused(self, place: Place, asked_s: float) -> None:
        """A request was refused with "too many".

        Args:
            place: The request.
            asked_s: Seconds that the provider asks to wait.
        """
        with self._lock:
            if self._pace.refused(place, self._clock(), asked_s, self._in_flight + 1):
                self._width = max(min(self._width, self._in_flight + 1) / 2, 1.0)
