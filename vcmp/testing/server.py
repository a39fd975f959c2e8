"""The fault server: entered, it serves; left, it has stopped."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from vcmp.provider.loopback.server import Server
from vcmp.testing.choices import Bucket, Choose, Late, RateLimit, Script
from vcmp.testing.desk import Desk
from vcmp.testing.faults import Fault
from vcmp.testing.ledger import Ledger
from vcmp.testing.requests import Received


class FaultServer:
    """A server on 127.0.0.1 that speaks the OpenAI API and fails as told.

    Every request for an answer counts, also one that is refused; those for `/v1/models` do not.

    Args:
        script: What happens to the first request, the second, and so on in order of arrival; the
            last one repeats. Nothing: a good answer to each.
        choose: From the request to what happens to it, instead of a script. Called in threads.
        limit: Requests beyond it are answered with 429 and take nothing from the script.
        latency_s: How long each answer takes, or a function of the request; a 429 of `limit` takes
            no time.
        port: 0 for any that is free.
        max_s: The server stops by itself after this time, so that a forgotten one does not stay.

    Raises:
        ValueError: Both a script and `choose` are given.
    """

    def __init__(
        self,
        script: Sequence[Fault] = (),
        *,
        choose: Choose | None = None,
        limit: RateLimit | None = None,
        latency_s: float | Callable[[Received], float] = 0.0,
        port: int = 0,
        max_s: float = 120.0,
    ) -> None:
        if script and choose:
            raise ValueError("a script or choose: one of them says what happens")
        chosen: Choose = Late(choose or Script(script), latency_s)
        self._ledger = Ledger(Bucket(chosen, limit) if limit else chosen)
        self._port = port
        self._timer = threading.Timer(max_s, self.stop)
        self._timer.daemon = True
        self._stopping = threading.Lock()
        self._stopped = threading.Event()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._server = Server(partial(Desk, self._ledger), self._port)
        self._timer.start()
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        self.stop()
        if self._ledger.errors and kind is None:
            raise self._ledger.errors[0]

    @property
    def url(self) -> str:
        """The base URL a client needs; it ends in `/v1`.

        Raises:
            RuntimeError: The server was not entered.
        """
        if self._server is None:
            raise RuntimeError("the server has no address before it is entered: use `with`")
        return self._server.url

    @property
    def requests(self) -> tuple[Received, ...]:
        """Requests for an answer, in order of arrival."""
        return self._ledger.requests

    @property
    def n_requests(self) -> int:
        """How many there were, retries included."""
        return len(self.requests)

    @property
    def most_at_once(self) -> int:
        """How many were unanswered at one moment, at most; one whose client has left is not."""
        return self._ledger.most_at_once

    def stop(self) -> None:
        """End every connection, also those that hang; what was counted stays readable."""
        with self._stopping:
            if self._server and not self._ledger.closing.is_set():
                self._timer.cancel()
                self._ledger.closing.set()
                self._server.stop()
                self._stopped.set()

    def wait(self) -> None:
        """Wait until the server has stopped."""
        self._stopped.wait()
