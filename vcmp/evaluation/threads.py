"""Sync functions in daemon threads of their own.

Not in an executor: its threads are joined when the interpreter ends, and one agent that hangs
would then hold up an interrupt for ever.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

Job = Callable[[], None]


class Workers:
    """Daemon threads that are used again; there are as many as functions run at once."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._n_threads = 0

    async def run(self, function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Call `function` in a thread, in a copy of this context; raise what it raises.

        Where the wait is cancelled the thread goes on, and what it gives is forgotten.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        context = contextvars.copy_context()

        def settle(value: Any, error: BaseException | None) -> None:
            # as a value: a future takes no StopIteration, and SystemExit would end the loop
            if not future.done():
                future.set_result((value, error))

        def job() -> None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = context.run(function, *args, **kw)
            except BaseException as failure:
                error = failure
            with suppress(RuntimeError):  # the loop has ended without this answer
                loop.call_soon_threadsafe(settle, value, error)

        self.submit(job)
        value, error = await future
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the threads end once they are idle."""
        with self._lock:
            for _ in range(self._n_threads):
                self._jobs.put(None)

    def submit(self, job: Job) -> None:
        """Run a job that raises nothing, in a thread."""
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                self._n_threads += 1
                threading.Thread(target=self._serve, name="vcmp-worker", daemon=True).start()
        self._jobs.put(job)

    def _serve(self) -> None:
        while job := self._jobs.get():
            job()
            with self._lock:
                self._idle += 1
