"""All requests of an evaluation together: how fast they go, what they may cost, when they end."""

import threading
from collections import defaultdict
from typing import Protocol

from vcmp.provider.metering.circuit import Circuit
from vcmp.provider.metering.purse import Purse
from vcmp.provider.metering.throttle import Throttle
from vcmp.types import Budget, Limits


class Brake(Protocol):
    """Ends the evaluation."""

    def requested(self) -> bool:
        """Whether nothing more is to be sent."""
        ...

    def stop(self, reason: str) -> None:
        """Ask that nothing more is sent."""
        ...


class Traffic:
    """What the requests of an evaluation share.

    Args:
        limits: How often and how long to try.
        brake: Asked before each attempt, and pulled by the budget and the circuit.
        budget: What they may take together.
    """

    def __init__(self, limits: Limits, brake: Brake, budget: Budget) -> None:
        self.limits = limits
        self.brake = brake
        self.purse = Purse(budget)
        self.circuit = Circuit()
        self._lock = threading.Lock()
        self._throttles: defaultdict[str, Throttle] = defaultdict(Throttle)

    def throttle(self, line: str) -> Throttle:
        """Of one model at one address: providers limit each by itself."""
        with self._lock:
            return self._throttles[line]
