"""All requests of an evaluation together: how fast they go, what they may cost, when they end."""

import threading
from collections import defaultdict
from contextlib import suppress
from typing import Protocol

from vcmp.errors import StorageError
from vcmp.provider.metering.circuit import Circuit
from vcmp.provider.metering.purse import Ledger, Price, Purse
from vcmp.provider.metering.throttle import Throttle
from vcmp.types import Budget, Limits

SLACK_S = 1.0
"""Seconds by which a busy machine notices late that a deadline is over."""
UNKEPT = "budget: what is spent cannot be written down. Make room on the disk"


class Brake(Protocol):
    """Ends the evaluation."""

    def requested(self) -> bool:
        """Whether nothing more is to be sent."""
        ...

    def stop(self, reason: str, mend: str = "") -> None:
        """Ask that nothing more is sent, and say which setting, if any, mends it."""
        ...


class Traffic:
    """What the requests of an evaluation share.

    Args:
        limits: How often and how long to try.
        brake: Asked before each attempt, and pulled by the budget and the circuit.
        budget: What they may take together.
        ledger: Where what they take is kept.
    """

    def __init__(self, limits: Limits, brake: Brake, budget: Budget, ledger: Ledger | None) -> None:
        self.limits = limits
        self.brake = brake
        self.purse = Purse(budget, ledger, limits.call_deadline_s + SLACK_S)
        self.circuit = Circuit()
        self._lock = threading.Lock()
        self._throttles: defaultdict[str, Throttle] = defaultdict(Throttle)

    def throttle(self, line: str) -> Throttle:
        """Of one model at one address: providers limit each by itself."""
        with self._lock:
            return self._throttles[line]

    def settle(self, reserved: Price, spent: Price, *, sent: bool) -> None:
        """Put back what a request did not take; the brake is pulled where that cannot be kept."""
        try:
            self.purse.settle(reserved, spent, sent=sent)
        except StorageError:
            self.brake.stop(UNKEPT)

    def close(self) -> None:
        """No request comes any more."""
        with suppress(StorageError):  # the next file to be written says so
            self.purse.close()
