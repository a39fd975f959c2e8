"""A provider that no further request can reach is asked nothing more."""

import threading
from collections import Counter

from vcmp.calls import Failure

ENOUGH = 3
"""So many failures of one kind in a row, and the provider is given up."""
HOPELESS: dict[Failure, str] = {
    "auth": "the key was refused. Check the key, and what it may use",
    "quota": "the account has nothing left to spend. Add to it",
    "connection": "nobody answers. Check the address, and whether the server runs",
}
"""Failures that do not pass by waiting, and what to do."""
ANSWERED: frozenset[Failure] = frozenset({"auth", "quota", "rate", "request", "server", "reply"})
"""Failures that somebody has told: there is a server, whatever it says."""


class Circuit:
    """Counts failures in a row, by provider and model, and says when it is enough."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: Counter[tuple[str, Failure]] = Counter()

    def note(self, line: str, failure: Failure, said: str) -> str:
        """Take in how a request ended, all its attempts made.

        Args:
            line: Whom it was sent to.
            failure: "" when it was answered.
            said: The error in words.

        Returns:
            Why nothing more should be sent; "" while there is no reason.
        """
        with self._lock:
            if not failure:
                for kind in HOPELESS:
                    self._in_a_row.pop((line, kind), None)
                return ""
            if failure == "missing":
                return f"provider: {said}"
            if failure in ANSWERED:
                self._in_a_row.pop((line, "connection"), None)
            self._in_a_row[line, failure] += 1
            if failure not in HOPELESS or self._in_a_row[line, failure] < ENOUGH:
                return ""
        return f"provider: {ENOUGH} calls in a row failed, {HOPELESS[failure]}. It said: {said}"
