"""How many requests a second a provider that has said "too many" is asked.

What it takes is measured, not guessed: the requests of the last second that it did not refuse, as
in TCP Westwood (Casetti et al., 2002, "TCP Westwood: end-to-end congestion control for
wired/wireless networks", Wireless Networks 8). The rate then stays, the longer the dearer the
refusal was, and grows with growing speed, as in CUBIC (Ha, Rhee and Xu, 2008, ACM SIGOPS Operating
Systems Review 42). `python -m benchmarks.limits` shows what comes of it.
"""

import math
from collections import deque
from dataclasses import dataclass

WINDOW_S = 1.0
TRUST = 0.95
"""What is asked of a rate that was measured."""
MILD, HARD = 0.92, 0.6
"""What a refusal leaves of the rate: at most; and at least, since few requests measure badly."""
DEAR = 3.0
"""A refusal that costs the time of more requests than these is dear."""
LEAST_PER_S = 0.2
PROBE_S, CALMER, RARELY_S = 0.1, 1.6, 5.0
"""While all are refused one is sent now and then: first after so long, then after so many times as
long each, at last so rarely."""
STEADY, STEADY_S = 10.0, 0.5
"""The rate stays for so many times the pause that a refusal has cost, and at least so long."""
FINDING, GROWING = (0.3, 0.6), (0.02, 0.06)
"""Growth of the rate's logarithm a second, and what is added to it every second: until a rate was
found to be too high, and after."""
AHEAD = 2.0
"""The rate grows to no more than so many times what is used of it."""


@dataclass(slots=True, eq=False)
class Place:
    """A request, in the line and after."""

    begun_s: float = math.nan
    """By the clock."""


class Pace:
    """The rate of one provider's requests; infinite until it refuses one.

    All times are seconds by the same clock.
    """

    def __init__(self) -> None:
        self.per_s = math.inf
        self._measured = math.inf
        self._found = False  # whether it was ever found to be too high
        self._speed = 0.0
        self._n_at_first = 1
        self._longest_asked_s = 0.0
        self._pause_s = PROBE_S
        self._taken: deque[Place] = deque()
        self._last_s = self._calmed_s = -math.inf
        self._closed_s = self._steady_s = self._grown_s = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may begin; 0 when it may."""
        self._grow(now)
        return max(self._closed_s, self._last_s + 1 / self.per_s, now) - now

    def begin(self, place: Place, now: float) -> None:
        """A request begins."""
        place.begun_s = self._last_s = now
        self._forget(now)
        self._taken.append(place)

    def refused(self, place: Place, now: float, asked_s: float, in_flight: int) -> bool:
        """A request was refused.

        Args:
            place: The request.
            now: The time.
            asked_s: How long the provider asks to wait.
            in_flight: Requests that it is answering.

        Returns:
            Whether that is news: others that began before the pace was changed say nothing new.
        """
        self._drop(place, now)
        self._close(now + asked_s)
        if place.begun_s <= self._calmed_s:
            if not self._found:
                self.per_s = min(self.per_s, self._guess(asked_s))
            return False
        self._grow(now)
        if math.isinf(self.per_s):
            self._n_at_first = in_flight
            self.per_s = self._guess(asked_s)
        elif self._takes_before(place):
            self._slow_down(dear=asked_s * self.per_s > DEAR)
        else:
            self._ask_rarely()
        self._calm(now, asked_s)
        return True

    def _drop(self, refused: Place, now: float) -> None:
        if refused in self._taken:
            self._taken.remove(refused)
        self._forget(now)

    def _takes_before(self, refused: Place) -> bool:
        """Whether any was taken since the last refusal that was news."""
        return any(self._calmed_s < taken.begun_s < refused.begun_s for taken in self._taken)

    def _guess(self, asked_s: float) -> float:
        """The rate to begin with, from what was taken before and beside the first refusals."""
        self._longest_asked_s = max(self._longest_asked_s, asked_s)
        n_taken = max(len(self._taken), 1)
        # who allows no bursts takes one of many at once, and yet many a second
        mean = math.sqrt(n_taken * self._n_at_first)
        told = TRUST / self._longest_asked_s if self._longest_asked_s else 0.0
        return max(TRUST * n_taken / WINDOW_S, mean, told)

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0].begun_s <= now - WINDOW_S:
            self._taken.popleft()

    def _slow_down(self, *, dear: bool) -> None:
        self._found = True
        self._measured = max(TRUST * len(self._taken) / WINDOW_S, HARD * self.per_s, LEAST_PER_S)
        self.per_s = max(MILD * self.per_s, LEAST_PER_S)
        self._pause_s = 1 / self.per_s
        if dear:
            self.per_s = min(self.per_s, self._measured)

    def _ask_rarely(self) -> None:
        self.per_s = min(self.per_s, self._measured)
        self._pause_s = min(self._pause_s * CALMER, RARELY_S)

    def _calm(self, now: float, asked_s: float) -> None:
        if not asked_s:
            self._close(now + self._pause_s)
        if self._found:
            self._steady_s = self._closed_s + max(STEADY * (self._closed_s - now), STEADY_S)
        self._speed = (GROWING if self._found else FINDING)[0]
        self._grown_s = self._calmed_s = now

    def _close(self, until_s: float) -> None:
        self._closed_s = max(self._closed_s, until_s)
        self._steady_s = max(self._steady_s, self._closed_s)

    def _grow(self, now: float) -> None:
        elapsed = now - max(self._grown_s, self._steady_s)
        self._grown_s = now
        if elapsed <= 0 or math.isinf(self.per_s):
            return
        self._forget(now)
        self._speed += (GROWING if self._found else FINDING)[1] * elapsed
        grown = self.per_s * math.exp(min(self._speed * elapsed, 1.0))
        self.per_s = min(grown, max(self.per_s, AHEAD * len(self._taken) / WINDOW_S))
