"""What ends an evaluation before its time: Ctrl-C and SIGTERM, the budget, the provider.

It stops gently at the first: nothing more is sent, what is done is kept. A second signal ends it at
once.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from vcmp import descendants

GRACE_S = 3.0
"""Seconds that cases in flight get to finish after an interrupt."""


class Interrupt:
    """Remembers that someone asked to stop, and who.

    Args:
        farewell: Called before the process is ended at once, perhaps within a signal handler.
    """

    def __init__(self, farewell: Callable[[], None] = lambda: None) -> None:
        self._farewell = farewell
        self.signal = 0
        """Number of the signal that came; 0 while none did."""
        self.reason = ""
        """Why no signal but the budget or the provider ended it; "" while neither did."""
        self.mend = ""
        """The setting with which it can go on; "" when it needs none."""

    def stop(self, reason: str, mend: str = "") -> None:
        """Ask to stop; the first reason counts."""
        if not self.reason:
            self.reason, self.mend = reason, mend

    def request(self) -> None:
        """Do as SIGTERM does, from any thread; nothing where a signal came already, since the
        second ends the process at once."""
        thread = threading.main_thread().ident
        if not self.signal and thread:
            signal.pthread_kill(thread, signal.SIGTERM)  # only this thread is sure to wake

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number; 4 where the budget or the provider ended it."""
        return 128 + self.signal if self.signal else 4

    def __str__(self) -> str:
        return "interrupted" if self.signal else f"stopped, {self.reason}"

    def requested(self) -> bool:
        return self.signal != 0 or self.reason != ""

    def end_process(self) -> NoReturn:
        """End this process, and those that agents have started, at once."""
        self._farewell()
        descendants.end_all()
        os._exit(128 + self.signal)


@contextmanager
def heeded(interrupt: Interrupt) -> Iterator[None]:
    """Let SIGINT and SIGTERM interrupt while the block runs, which then has to end.

    They are caught outside of the event loop, which an agent may be blocking.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own, ended = os.getpid(), threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != own:  # an agent's fork, which has this handler too
            os._exit(128 + number)
        if interrupt.signal:
            interrupt.end_process()
        interrupt.signal = number
        threading.Thread(target=_end_late, args=(ended, interrupt), daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_late(ended: threading.Event, interrupt: Interrupt) -> None:
    """End the process when the block does not end: an async agent blocks the loop.

    Every finished row is on disk by then.
    """
    if not ended.wait(GRACE_S + 1):
        interrupt.end_process()
