"""Threads that an agent starts belong to the case that starts them.

What a case is, who scores, and which span is open travel in context variables, and a thread of
Python 3.11 begins with none of them.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any

from vcmp.calls import inherit
from vcmp.provider.replacements import replaced


@contextmanager
def inherited() -> Iterator[None]:
    """Inside the block threads get a copy of the context in which they are started, and work for a
    pool one of the context in which it is submitted, whenever the pool was made."""
    with ExitStack() as patches:
        start = _inheriting_start(threading.Thread.start)
        patches.enter_context(replaced(threading.Thread, "start", start))
        submit = _inheriting_submit(ThreadPoolExecutor.submit)
        patches.enter_context(replaced(ThreadPoolExecutor, "submit", submit))
        yield


def _inheriting_start(start: Callable[..., None]) -> Callable[..., None]:
    def start_inheriting(thread: threading.Thread) -> None:
        run, context = thread.run, copy_context()
        context.run(inherit)

        def run_inheriting() -> None:
            # the context goes with the run: a thread is kept long after it
            del vars(thread)["run"]
            context.run(run)

        vars(thread)["run"] = run_inheriting
        start(thread)

    return start_inheriting


def _inheriting_submit(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submit_inheriting(
        pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> Future[Any]:
        return submit(pool, copy_context().run, function, *args, **kw)

    return submit_inheriting
