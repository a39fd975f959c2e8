"""Many calls of a provider that limits requests: simulated, in its own time."""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import pytest

from vcmp.provider.metering.pace import Place
from vcmp.provider.metering.throttle import Throttle

PER_S = 20
IDEAL_S = 10.0
N_CALLS = int(PER_S * IDEAL_S)
REFUSAL_S = 0.01
Told = Callable[[float], float]
"""What a server asks to wait, of what there is to wait."""


class Limiter(Protocol):
    """A server's limit."""

    def wait_s(self, now: float) -> float:
        """0 when a request is taken; else when there will be room."""


@dataclass(slots=True)
class Bucket:
    burst: float
    filled: float = field(init=False)
    seen_s: float = 0.0

    def __post_init__(self) -> None:
        self.filled = self.burst

    def wait_s(self, now: float) -> float:
        self.filled = min(self.burst, self.filled + (now - self.seen_s) * PER_S)
        self.seen_s = now
        if self.filled < 1 - 1e-9:
            return (1 - self.filled) / PER_S
        self.filled -= 1
        return 0.0


@dataclass(slots=True)
class FixedWindow:
    began_s: float = 0.0
    taken: int = 0

    def wait_s(self, now: float) -> float:
        if math.floor(now + 0.37) != self.began_s:
            self.began_s, self.taken = math.floor(now + 0.37), 0
        if self.taken == PER_S:
            return self.began_s + 1 - now - 0.37
        self.taken += 1
        return 0.0


@dataclass(slots=True)
class SlidingWindow:
    taken: deque[float] = field(default_factory=deque)

    def wait_s(self, now: float) -> float:
        while self.taken and self.taken[0] <= now - 1:
            self.taken.popleft()
        if len(self.taken) == PER_S:
            return self.taken[0] + 1 - now
        self.taken.append(now)
        return 0.0


@dataclass(slots=True)
class Outage:
    """Nothing passes from 3 to 8 seconds."""

    limit: Limiter = field(default_factory=SlidingWindow)

    def wait_s(self, now: float) -> float:
        return 1.0 if 3 < now < 8 else self.limit.wait_s(now)


@dataclass(slots=True)
class Narrow:
    """It answers no more than `most` at once, each in `latency_s`."""

    most: int
    latency_s: float
    ends: list[float] = field(default_factory=list)

    def wait_s(self, now: float) -> float:
        self.ends = [end for end in self.ends if end > now]
        if len(self.ends) == self.most:
            return 0.05
        self.ends.append(now + self.latency_s)
        return 0.0


@dataclass(slots=True)
class Once:
    """It refuses one request, after a second."""

    done: bool = False

    def wait_s(self, now: float) -> float:
        if now < 1 or self.done:
            return 0.0
        self.done = True
        return 0.001


class Simulation:
    """Calls of which each begins when the throttle lets it, again until it is answered."""

    def __init__(self, limiter: Limiter, told: Told, latency_s: float, at_once: int) -> None:
        self.limiter = limiter
        self.told = told
        self.latency_s = latency_s
        self.now = 0.0
        self.n_refused = 0
        self.widths: list[tuple[float, int]] = []
        """When one began, and how many were then under way."""
        self._in_flight = 0
        self._left = N_CALLS - at_once
        self._throttle = Throttle(lambda: self.now)
        self._chance = random.Random(0)
        self._number = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        for n in range(at_once):
            self._later(0.002 * n, self._line_up)

    def run(self) -> float:
        """The time when the last call is answered."""
        while self._events:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        return self.now

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay_s, next(self._number), what))

    def _line_up(self) -> None:
        self._try(self._throttle.line_up())

    def _try(self, place: Place) -> None:
        if wait_s := self._throttle.try_begin(place):
            late_s = 0.002 * self._chance.random()
            return self._later(wait_s + late_s, partial(self._try, place))
        self._in_flight += 1
        self.widths.append((self.now, self._in_flight))
        if wait_s := self.limiter.wait_s(self.now):
            return self._later(REFUSAL_S, partial(self._refused, place, self.told(wait_s)))
        latency_s = self.latency_s * self._chance.uniform(0.8, 1.2)
        return self._later(latency_s, partial(self._passed, place))

    def _passed(self, place: Place) -> None:
        self._end()
        self._throttle.passed()
        self._left -= 1
        if self._left >= 0:
            self._line_up()

    def _refused(self, place: Place, asked_s: float) -> None:
        self._end()
        self.n_refused += 1
        self._throttle.refused(place, asked_s)
        self._later(max(asked_s, self._chance.uniform(0, 0.5)), self._line_up)

    def _end(self) -> None:
        self._in_flight -= 1
        self._throttle.end()


def nothing(_wait_s: float) -> float:
    return 0.0


def exactly(wait_s: float) -> float:
    return wait_s


HONEST: dict[str, Callable[[], Limiter]] = {
    "bucket": lambda: Bucket(PER_S), "fixed": FixedWindow, "sliding": SlidingWindow,
}  # fmt: skip
BURSTS: dict[str, Callable[[], Limiter]] = {"1": lambda: Bucket(1), "5": lambda: Bucket(5)}
SERVERS = [
    *((make, told, 1.3) for told in (nothing, exactly) for make in HONEST.values()),
    *((make, math.ceil, 1.4) for make in HONEST.values()),
    *((make, exactly, 1.3) for make in BURSTS.values()),
    *((make, nothing, 1.4) for make in BURSTS.values()),
    # each refusal costs a whole second, where a twentieth would do
    *((make, math.ceil, 2.0) for make in BURSTS.values()),
]


@pytest.mark.parametrize(("at_once", "latency_s"), [(8, 0.003), (16, 0.05), (16, 0.3), (32, 0.3)])
@pytest.mark.parametrize(("make", "told", "most"), SERVERS)
def test_a_rate_limit_is_used_up(
    make: Callable[[], Limiter], told: Told, most: float, at_once: int, latency_s: float
):
    """Twenty requests a second are found out, whichever way the server counts them."""
    took_s = Simulation(make(), told, latency_s, at_once).run()
    assert took_s / IDEAL_S < most


@pytest.mark.parametrize("told", [nothing, exactly, math.ceil])
def test_an_outage_is_waited_for_with_few_requests(told: Told):
    simulation = Simulation(Outage(), told, 0.05, 16)
    assert simulation.run() < 1.3 * (IDEAL_S + 5)
    assert simulation.n_refused < 40


@pytest.mark.parametrize("most", [2, 4])
def test_a_server_that_answers_few_at_once_is_asked_few_at_once(most: int):
    simulation = Simulation(Narrow(most, 0.3), nothing, 0.3, 16)
    assert simulation.run() < 1.5 * N_CALLS * 0.3 / most
    assert max(width for now, width in simulation.widths if now > 10) <= most + 2


def test_a_refusal_halves_what_is_in_flight_and_it_recovers():
    simulation = Simulation(Once(), exactly, 0.6, 16)
    simulation.run()

    before = [width for now, width in simulation.widths if now < 1]
    after = [width for now, width in simulation.widths if now > 1]
    assert max(before) == 16
    assert min(after) <= 10  # some are answered at that moment
    assert max(after) == 16
