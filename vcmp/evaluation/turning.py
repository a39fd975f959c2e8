"""An event loop that, once its work is done, waits for nothing that an agent has left in it.

`asyncio.run` joins the threads of the default executor, and waits for tasks that do not heed their
cancellation: one agent that hangs would hold up a verdict, or an interrupt, for ever.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from vcmp.evaluation.threads import Workers

T = TypeVar("T")

CLOSING_S = 0.5
"""Seconds that tasks which agents have left behind get to end once they are cancelled."""
_left: list[asyncio.Task[Any]] = []
"""Tasks that did not: whoever collects one tells of it, and throws into what it was doing."""


def turn(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, in an event loop of its own, of which this thread may have no other."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_DaemonExecutor())
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        try:
            _end(asyncio.all_tasks(loop), loop)
            _end([loop.create_task(loop.shutdown_asyncgens())], loop, cancels=False)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _end(
    tasks: Iterable[asyncio.Task[Any]], loop: asyncio.AbstractEventLoop, *, cancels: bool = True
) -> None:
    tasks = set(tasks)
    for task in tasks if cancels else ():
        task.cancel()
    if tasks:
        _, pending = loop.run_until_complete(asyncio.wait(tasks, timeout=CLOSING_S))
        for task in pending:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # there is no public way
            _left.append(task)


class _DaemonExecutor(ThreadPoolExecutor):
    """What `asyncio.to_thread` runs in: threads that nobody joins."""

    def __init__(self) -> None:
        super().__init__(1)  # which makes no thread before one is asked for
        self._workers = Workers()
        self._closed = False

    def submit(self, function: Any, /, *args: Any, **kw: Any) -> Future[Any]:
        """Call `function` in a thread, in a copy of this context: it belongs to the same case."""
        future: Future[Any] = Future()
        context = copy_context()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                value = context.run(function, *args, **kw)
            except BaseException as error:
                if not self._closed:
                    future.set_exception(error)
            else:
                if not self._closed:  # else the loop, which the future would tell, is closed
                    future.set_result(value)

        self._workers.submit(job)
        return future

    def shutdown(self, *_how: Any, **_more: Any) -> None:
        """Let the threads end once they are idle."""
        self._closed = True
        self._workers.close()
