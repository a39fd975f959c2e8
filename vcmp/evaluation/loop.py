"""The loop itself.

All versions advance together, case by case in a seeded random order, so that a provider's drift
hits every version alike. What the world does wrong is a row in the result: whatever an agent or a
scorer raises, SystemExit included, stays with its case.
"""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vcmp.calls import Slot, collect
from vcmp.errors import EvaluationError
from vcmp.evaluation.interrupts import Interrupt, heeded
from vcmp.evaluation.threads import Workers
from vcmp.evaluation.values import as_json, describe, time_awaited, total_usage
from vcmp.types import Case, Evaluation, Limits, Plan, Result, Score, Usage

OnResult = Callable[[int, Result], None]


class Capture(Protocol):
    """Keeps the spans of agents that trace themselves."""

    def case(
        self, version: str, case_id: str, inputs: Mapping[str, Any]
    ) -> AbstractContextManager[Callable[[], tuple[Mapping[str, Any], ...]]]:
        """Open the case's one trace; the callable gives its spans once the block has ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Planned looks at an evaluation that may end early."""

    planned: int = 1
    """Look k sees the first k of so many equal parts of the cases."""
    enough: Callable[[], bool] = lambda: False
    """Whether no further case is needed."""


ALL_AT_ONCE = Looks()


class DeadlineExceeded(TimeoutError):  # noqa: N818 - users read the name
    """An agent or a scorer took longer than the case's deadline."""


def evaluate(
    plans: Sequence[Plan],
    *,
    limits: Limits | None = None,
    on_result: OnResult = lambda _plan, _result: None,
    capture: Capture | None = None,
    interrupt: Interrupt | None = None,
    looks: Looks = ALL_AT_ONCE,
) -> tuple[Evaluation, ...]:
    """Run every plan over its dataset.

    Args:
        plans: One for each version; scorers must return `Score`.
        limits: How many cases at once, and for how long.
        on_result: Called in the loop's thread with the plan's position and each finished result.
        capture: Where agents that trace themselves leave their spans.
        interrupt: Set by SIGINT or SIGTERM while the loop runs in the main thread: no new case is
            started, those in flight get `interrupts.GRACE_S` seconds. A second signal ends the
            process.
        looks: In how many parts the cases are evaluated, and whether those so far are enough.

    Returns:
        One evaluation a plan, in their order; results in the order of the dataset. A case that was
        in flight when the run was interrupted, and failed, has no result; nor has one that was not
        needed.

    Raises:
        EvaluationError: An agent ended the event loop.
    """
    loop = _Loop(plans, limits or Limits(), on_result, capture, interrupt or Interrupt(), looks)
    try:
        return _run(loop.run())
    except SystemExit as exit:
        raise EvaluationError(
            f"an agent left the process from a task of its own (SystemExit: {exit}).\n"
            "  Let it raise an exception that says what is wrong."
        ) from exit


def _run(evaluation: Coroutine[Any, Any, tuple[Evaluation, ...]]) -> tuple[Evaluation, ...]:
    """Run in an event loop of its own; in a thread where one is running already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(evaluation)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, evaluation).result()


class _Loop:
    def __init__(
        self,
        plans: Sequence[Plan],
        limits: Limits,
        on_result: OnResult,
        capture: Capture | None,
        interrupt: Interrupt,
        looks: Looks,
    ) -> None:
        self.plans = plans
        self.limits = limits
        self.on_result = on_result
        self.capture = capture
        self.interrupt = interrupt
        self.looks = looks
        self.threads = Workers()
        self.results: list[list[Result]] = [[] for _ in plans]

    async def run(self) -> tuple[Evaluation, ...]:
        jobs = schedule(self.plans, self.looks.planned)
        workers = [asyncio.create_task(self._work(jobs)) for _ in range(self.limits.concurrency)]
        with heeded(self.interrupt, workers):
            # a row that cannot be kept stops the others: they would be paid for and lost
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for worker in workers:
                worker.cancel()
            outcomes = await asyncio.gather(*workers, return_exceptions=True)
        self.threads.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return tuple(map(_assemble, self.plans, self.results))

    async def _work(self, jobs: Iterator[tuple[int, Case, int]]) -> None:
        for plan, case, repeat in jobs:
            if self.interrupt.requested() or self.looks.enough():
                return
            result = await self._run_case(self.plans[plan], case, repeat)
            if result.error and self.interrupt.requested():
                return  # it may have failed only because it was being stopped
            self.results[plan].append(result)
            self.on_result(plan, result)

    async def _run_case(self, plan: Plan, case: Case, repeat: int) -> Result:
        trace = (
            self.capture.case(plan.version.name, case.id, case.inputs)
            if self.capture
            else nullcontext(tuple)
        )
        slot = Slot(variant=plan.version.variant.name, case_id=case.id, repeat=repeat)
        started, clock = time.time(), time.perf_counter()
        with collect(slot) as calls, trace as spans:
            output, failure = await self._attempt(_answer, plan.agent, case.inputs, self.threads)
        latency = time.perf_counter() - clock - time_awaited(calls)
        # a thread that was given up may be in the middle of a call that nobody will count
        unknown = isinstance(failure, DeadlineExceeded) and not is_async(plan.agent)
        return Result(
            case_id=case.id,
            repeat=repeat,
            output=output,
            error=describe(failure) if failure else "",
            finish=calls[-1].finish if calls else "",
            started_s=started,
            latency_s=max(latency, 0.0),
            usage=Usage() if unknown else total_usage(calls),
            scores={} if failure else await self._score(plan, case, output, slot),
            calls=tuple(calls),
            trace=spans(),
        )

    async def _score(self, plan: Plan, case: Case, output: Any, slot: Slot) -> dict[str, Score]:
        judged = (
            self._judge(scorer, case, output, replace(slot, scorer=name))
            for name, scorer in plan.scorers.items()
        )
        return dict(zip(plan.scorers, await asyncio.gather(*judged), strict=True))

    async def _judge(
        self, scorer: Callable[..., Any], case: Case, output: Any, slot: Slot
    ) -> Score:
        with collect(slot):
            score, failure = await self._attempt(_call, scorer, self.threads, case, output)
        if failure:
            return Score(value=None, error=describe(failure))
        if not isinstance(score, Score):
            return Score(value=None, error=f"the scorer returned {score!r}, not a Score")
        return score

    async def _attempt(
        self, function: Callable[..., Any], *args: Any
    ) -> tuple[Any, BaseException | None]:
        """What `function` gives within the deadline, or what it raises."""
        deadline_s = self.limits.case_deadline_s
        deadline = asyncio.timeout(deadline_s)
        try:
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


async def _answer(agent: Callable[..., Any], inputs: Mapping[str, Any], threads: Workers) -> Any:
    output = await _call(agent, threads, **inputs)
    if output is None:
        raise ValueError("the agent returned None")
    return as_json(output)


async def _call(function: Callable[..., Any], threads: Workers, *args: Any, **kw: Any) -> Any:
    if is_async(function):
        return await function(*args, **kw)
    value = await threads.run(function, *args, **kw)
    return await value if inspect.isawaitable(value) else value


def is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - whether it is async, not callable
    )


def schedule(plans: Sequence[Plan], looks: int = 1) -> Iterator[tuple[int, Case, int]]:
    """(position of the plan, case, repeat) in the order in which to start them.

    Planned looks are outermost, then repeats, and versions innermost; the cases of one dataset come
    in the same seeded random order for every version and whatever their order in the file.
    """
    jobs: list[tuple[int, int, int, int, Case]] = []
    for number, plan in enumerate(plans):
        cases = plan.dataset.shuffled(plan.seed)
        for repeat in range(plan.repeats):
            jobs += [
                (place * looks // len(cases), repeat, place, number, case)
                for place, case in enumerate(cases)
            ]
    jobs.sort(key=lambda job: job[:4])
    return ((number, case, repeat) for _, repeat, _, number, case in jobs)


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
