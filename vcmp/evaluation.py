"""The evaluation loop: agents × cases × repeats, interleaved in one asyncio loop.

All versions advance together, case by case in a seeded random order, so that a provider's drift
hits every version alike. What the world does wrong is a row in the result; nothing here raises for
an agent or a scorer.
"""

import asyncio
import contextvars
import inspect
import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, is_dataclass
from typing import Any, Protocol

from vcmp.calls import Call, collect
from vcmp.types import Case, Evaluation, Limits, Plan, Result, Score, Usage

GRACE_S = 3.0
"""Seconds that cases in flight get to finish after an interrupt."""


class Capture(Protocol):
    """Keeps the spans of agents that trace themselves."""

    def case(
        self, version: str, case_id: str, inputs: Mapping[str, Any]
    ) -> AbstractContextManager[Callable[[], tuple[Mapping[str, Any], ...]]]:
        """Open the case's one trace; the callable gives its spans once the block has ended."""
        ...


class Interrupt:
    """Remembers that the user, or the machine, asked to stop."""

    def __init__(self) -> None:
        self.signal = 0
        """Number of the signal that came; 0 while none did."""

    def requested(self) -> bool:
        return self.signal != 0


def evaluate(
    plans: Sequence[Plan],
    *,
    limits: Limits | None = None,
    on_result: Callable[[int, Result], None] = lambda _plan, _result: None,
    capture: Capture | None = None,
    interrupt: Interrupt | None = None,
) -> tuple[Evaluation, ...]:
    """Run every plan over its dataset.

    Args:
        plans: One for each version; scorers must return `Score`.
        limits: How many cases at once, and for how long.
        on_result: Called in this thread with the plan's position and each finished result.
        capture: Where agents that trace themselves leave their spans.
        interrupt: Set by SIGINT or SIGTERM while the loop runs in the main thread: no new case is
            started, those in flight get `GRACE_S` seconds. A second signal ends the process.

    Returns:
        One evaluation a plan, in their order; results in the order of the dataset.
    """
    loop = _Loop(plans, limits or Limits(), on_result, capture, interrupt or Interrupt())
    return asyncio.run(loop.run())


class _Loop:
    def __init__(
        self,
        plans: Sequence[Plan],
        limits: Limits,
        on_result: Callable[[int, Result], None],
        capture: Capture | None,
        interrupt: Interrupt,
    ) -> None:
        self.plans = plans
        self.limits = limits
        self.on_result = on_result
        self.capture = capture
        self.interrupt = interrupt
        self.results: list[list[Result]] = [[] for _ in plans]

    async def run(self) -> tuple[Evaluation, ...]:
        jobs = schedule(self.plans)
        workers = [asyncio.create_task(self._work(jobs)) for _ in range(self.limits.concurrency)]
        with _signals(self.interrupt, workers):
            outcomes = await asyncio.gather(*workers, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return tuple(map(_assemble, self.plans, self.results))

    async def _work(self, jobs: Iterator[tuple[int, Case, int]]) -> None:
        for plan, case, repeat in jobs:
            if self.interrupt.requested():
                return
            result = await self._run_case(self.plans[plan], case, repeat)
            self.results[plan].append(result)
            self.on_result(plan, result)

    async def _run_case(self, plan: Plan, case: Case, repeat: int) -> Result:
        trace = (
            self.capture.case(plan.version.name, case.id, case.inputs)
            if self.capture
            else nullcontext(tuple)
        )
        started, clock, error, output = time.time(), time.perf_counter(), "", None
        with collect() as calls, trace as spans:
            try:
                output = await _answer(plan.agent, case.inputs, self.limits.case_deadline_s)
            except Exception as failure:
                error = describe(failure)
        waited = sum(call.waited_s for call in calls)
        latency = max(time.perf_counter() - clock - waited, 0.0)
        return Result(
            case_id=case.id,
            repeat=repeat,
            output=output,
            error=error,
            finish=calls[-1].finish if calls else "",
            started_s=started,
            latency_s=latency,
            usage=total_usage(calls),
            scores={} if error else await self._score(plan, case, output),
            calls=tuple(calls),
            trace=spans(),
        )

    async def _score(self, plan: Plan, case: Case, output: Any) -> dict[str, Score]:
        judged = (self._judge(scorer, case, output) for scorer in plan.scorers.values())
        return dict(zip(plan.scorers, await asyncio.gather(*judged), strict=True))

    async def _judge(self, scorer: Callable[..., Any], case: Case, output: Any) -> Score:
        try:
            score = await _within(self.limits.case_deadline_s, scorer, case, output)
        except Exception as failure:
            return Score(value=None, error=describe(failure))
        if not isinstance(score, Score):
            return Score(value=None, error=f"the scorer returned {score!r}, not a Score")
        return score


def schedule(plans: Sequence[Plan]) -> Iterator[tuple[int, Case, int]]:
    """(position of the plan, case, repeat) in the order in which to start them.

    Repeats are outermost and versions innermost; the cases of one dataset come in the same seeded
    random order for every version and whatever their order in the file.
    """
    jobs: list[tuple[int, int, int, Case]] = []
    for number, plan in enumerate(plans):
        cases = sorted(plan.dataset.cases, key=lambda case: case.id)
        random.Random(plan.seed).shuffle(cases)
        for repeat in range(plan.repeats):
            jobs += [(repeat, place, number, case) for place, case in enumerate(cases)]
    jobs.sort(key=lambda job: job[:3])
    return ((number, case, repeat) for repeat, _, number, case in jobs)


async def _answer(agent: Callable[..., Any], inputs: Mapping[str, Any], deadline_s: float) -> Any:
    output = await _within(deadline_s, agent, **inputs)
    if output is None:
        raise ValueError("the agent returned None")
    return as_json(output)


async def _within(deadline_s: float, function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Call a sync or async function; raise TimeoutError when wall-clock `deadline_s` has passed."""
    try:
        async with asyncio.timeout(deadline_s) as deadline:
            if is_async(function):
                return await function(*args, **kw)
            value = await in_thread(function, *args, **kw)
            return await value if inspect.isawaitable(value) else value
    except TimeoutError:
        if deadline.expired():
            raise TimeoutError(f"no answer within {deadline_s:g} s") from None
        raise
    except SystemExit as exit:
        # asyncio would let it end the whole loop, and every other case with it
        raise RuntimeError(f"SystemExit: {exit}") from exit


def is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - whether it is async, not callable
    )


async def in_thread(function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Run a sync function in a daemon thread of its own, in a copy of this context.

    Not in an executor: its threads are joined when the interpreter ends, and one agent that hangs
    would then hold up an interrupt for ever.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = context.run(function, *args, **kw)
        except (SystemExit, StopIteration) as exit:
            error = RuntimeError(f"{type(exit).__name__}: {exit}")
        except BaseException as failure:
            error = failure
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name="vcmp-case", daemon=True).start()
    return await future


@contextmanager
def _signals(interrupt: Interrupt, workers: Sequence[asyncio.Task[None]]) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM stop the workers gently and the second end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if interrupt.requested():
            os._exit(128 + number)
        interrupt.signal = number
        loop.call_later(GRACE_S, lambda: [worker.cancel() for worker in workers])

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _assemble(plan: Plan, results: Sequence[Result]) -> Evaluation:
    place = {case.id: number for number, case in enumerate(plan.dataset.cases)}
    return Evaluation(
        version=plan.version,
        dataset=plan.dataset,
        scorers=plan.cards,
        answerer=plan.answerer,
        results=tuple(sorted(results, key=lambda row: (place[row.case_id], row.repeat))),
        repeats=plan.repeats,
        seed=plan.seed,
    )


def total_usage(calls: Sequence[Call]) -> Usage:
    """Sum over the calls; unknown as soon as one call's number is unknown, or there was no call."""

    def total(numbers: Sequence[Any]) -> Any:
        return sum(numbers) if numbers and None not in numbers else None

    return Usage(
        input_tokens=total([call.input_tokens for call in calls]),
        output_tokens=total([call.output_tokens for call in calls]),
        cost_usd=total([call.cost_usd for call in calls]),
    )


def describe(failure: BaseException) -> str:
    """An exception in one line: its class and what it says."""
    return f"{type(failure).__name__}: {failure}".rstrip(": ").replace("\n", " ")


def as_json(value: Any) -> Any:
    """`value` as JSON can hold it; what JSON does not know (NaN included) becomes text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {str(key): as_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if hasattr(value, "model_dump"):
        return as_json(value.model_dump())
    return str(value)
