"""A sync call that is waited for no longer than its deadline."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any


def within(seconds: float, function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Call `function` in a thread of its own and give what it gives, or raise what it raises.

    A client's own timeout bounds each read, and a server that sends a byte now and then is read
    for ever. The thread of a call that is given up ends when the server does.

    Raises:
        TimeoutError: It has not ended within so many seconds.
    """
    ended: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    context = copy_context()

    def call() -> None:
        try:
            ended.put((context.run(function, *args, **kw), None))
        except BaseException as error:
            ended.put((None, error))

    threading.Thread(target=call, name="vcmp-call", daemon=True).start()
    try:
        value, error = ended.get(timeout=max(seconds, 0.0))
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value
