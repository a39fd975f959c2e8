"""What came to the server, counted as it comes."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from vcmp.testing.choices import Choose
from vcmp.testing.faults import Fault
from vcmp.testing.requests import Received, mask


class Ledger:
    """The requests of one server, which may come at once.

    Attributes:
        closing: Set when the server stops, so that whoever waits does not wait on.
    """

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._requests: list[Received] = []
        self._inside: set[int] = set()
        self._most_at_once = 0
        self._errors: list[Exception] = []
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self.closing = threading.Event()

    @property
    def requests(self) -> tuple[Received, ...]:
        """All that came so far, in order of arrival."""
        with self._lock:
            return tuple(self._requests)

    @property
    def most_at_once(self) -> int:
        """How many were unanswered at one moment, at most."""
        return self._most_at_once

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What the callables of a test raised."""
        return tuple(self._errors)

    @contextmanager
    def visit(
        self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], question: str
    ) -> Iterator[Received]:
        """Count a request in, and out at the latest when this is left."""
        with self._lock:
            number = len(self._requests)
            self._inside.add(number)
            self._most_at_once = max(self._most_at_once, len(self._inside))
            received = Received(
                number=number,
                path=path,
                headers=mask(headers),
                body=body,
                started_s=time.monotonic() - self._started_s,
                at_once=len(self._inside),
                question=question,
            )
            self._requests.append(received)
        try:
            yield received
        finally:
            self.leave(received)

    def leave(self, received: Received) -> None:
        """Count it out."""
        with self._lock:
            self._inside.discard(received.number)

    def choose(self, received: Received) -> Fault:
        """What happens to it, by script, function or limit."""
        fault = self._choose(received)
        self.note(received, fault.name)
        return fault

    def note(self, received: Received, fault: str) -> None:
        """Write down what the server did with it."""
        with self._lock:
            self._requests[received.number] = replace(received, fault=fault)

    def blame(self, error: Exception) -> None:
        """Keep what a callable of the test raised."""
        with self._lock:
            self._errors.append(error)
