"""One call of an agent or a scorer: sync or async, within its deadline, and whatever it raises."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from vcmp.calls import postponing
from vcmp.evaluation.threads import Workers
from vcmp.evaluation.values import NothingReturnedError, as_json


class DeadlineExceeded(TimeoutError):  # noqa: N818 - users read the name
    """An agent or a scorer took longer than the case's deadline."""


async def attempt(
    deadline_s: float, function: Callable[..., Any], *args: Any
) -> tuple[Any, BaseException | None]:
    """What an async `function` gives within the deadline, or what it raises.

    What it waits for others of the sweep, as for the budget, puts the deadline off.
    """
    deadline, loop = asyncio.timeout(deadline_s), asyncio.get_running_loop()

    def put_off(seconds: float) -> None:
        when = deadline.when()
        with suppress(RuntimeError):  # it is over
            deadline.reschedule(None if when is None else when + seconds)

    def put_off_from_any_thread(seconds: float) -> None:
        with suppress(RuntimeError):  # the loop is
            loop.call_soon_threadsafe(put_off, seconds)

    try:
        with postponing(put_off_from_any_thread):
            async with deadline:
                return await function(*args), None
    except TimeoutError as failure:
        late = DeadlineExceeded(f"no answer within {deadline_s:g} s")
        return None, late if deadline.expired() else failure
    except asyncio.CancelledError as failure:
        task = asyncio.current_task()
        if task and task.cancelling():  # by us, and not by the agent
            raise
        return None, failure
    except BaseException as failure:
        return None, failure


async def answer(agent: Callable[..., Any], inputs: Mapping[str, Any], threads: Workers) -> Any:
    """What the agent gives, as a JSON value."""
    output = await call(agent, threads, **inputs)
    if output is None:
        raise NothingReturnedError("the agent returned None")
    return as_json(output)


async def call(function: Callable[..., Any], threads: Workers, *args: Any, **kw: Any) -> Any:
    """What a function gives; a sync one runs in a thread."""
    if is_async(function):
        return await function(*args, **kw)
    value = await threads.run(function, *args, **kw)
    return await value if inspect.isawaitable(value) else value


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - whether it is async, not callable
    )
