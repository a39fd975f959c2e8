"""The loop itself.

All versions advance together, case by case in a seeded random order, so that a provider's drift
hits every version alike. What the world does wrong is a row in the result: whatever an agent or a
scorer raises, SystemExit included, stays with its case.
"""

import asyncio
from asyncio import FIRST_EXCEPTION
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from vcmp.errors import EvaluationError
from vcmp.evaluation.interrupts import GRACE_S, Interrupt, heeded
from vcmp.evaluation.order import ALL_AT_ONCE, Looks, schedule
from vcmp.evaluation.runs import BLAMELESS, Capture, Journal, Runs, is_finished, is_whole
from vcmp.evaluation.turning import turn
from vcmp.types import Case, Evaluation, Limits, Plan, Result, prefix

OnResult = Callable[[int, Result], None]
"""Called with the position of the plan and each result as it finishes."""

POLL_S = 0.1
"""Seconds after which it is seen that somebody asked to stop."""
CANCELLED_S = 0.25
"""Seconds that cases get to end once they are cancelled: an agent may not heed that."""


def evaluate(
    plans: Sequence[Plan],
    *,
    limits: Limits | None = None,
    on_result: OnResult = lambda _plan, _result: None,
    capture: Capture | None = None,
    interrupt: Interrupt | None = None,
    looks: Looks = ALL_AT_ONCE,
    known: Mapping[str, Result] | None = None,
    journal: Journal | None = None,
) -> tuple[Evaluation, ...]:
    """Run every plan over its dataset.

    Args:
        plans: One for each version; scorers must return `Score`.
        limits: How many cases at once, and for how long.
        on_result: Called in the loop's thread with the plan's position and each finished result.
        capture: Where agents that trace themselves leave their spans.
        interrupt: Set by SIGINT or SIGTERM while the loop runs in the main thread: no new case is
            started, those in flight get `interrupts.GRACE_S` seconds. So it is when a reason is
            given to its `stop`. A second signal ends the process.
        looks: In how many parts the cases are evaluated, and of whom the next part is needed. It
            begins when the one before it has ended, so that nothing is asked in vain.
        known: By key, results of an earlier, unfinished run of the same plans: what is there is
            not asked for again, and `on_result` is not called with it. Of an answer that lacks
            scores only those are asked for.
        journal: Where answers are kept while judges score them.

    Returns:
        One evaluation a plan, in their order; results in the order of the dataset. A case that was
        in flight when the run was interrupted, and failed, has no result. A plan that was not
        needed to the end has asked the cases up to that look, and is complete with them.

    Raises:
        EvaluationError: An agent ended the event loop.
    """
    limits = limits or Limits()
    interrupt = interrupt or Interrupt()
    loop = _Loop(
        plans=plans,
        limits=limits,
        on_result=on_result,
        runs=Runs(
            plans=plans,
            deadline_s=limits.case_deadline_s,
            capture=capture,
            journal=journal,
            interrupt=interrupt,
        ),
        interrupt=interrupt,
        looks=looks,
        known=known or {},
    )
    try:
        return _run(loop)
    except SystemExit as exit:
        raise EvaluationError(
            f"an agent left the process from a task of its own (SystemExit: {exit}).\n"
            "  Let it raise an exception that says what is wrong."
        ) from exit


def _run(loop: "_Loop") -> tuple[Evaluation, ...]:
    """Run in an event loop of its own; in a thread where one is running already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with heeded(loop.interrupt):
            return turn(loop.run())
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(turn, loop.run()).result()


@dataclass(slots=True, kw_only=True)
class _Loop:
    plans: Sequence[Plan]
    limits: Limits
    on_result: OnResult
    runs: Runs
    interrupt: Interrupt
    looks: Looks
    known: Mapping[str, Result]
    results: list[list[Result]] = field(default_factory=list)
    held: list[tuple[int, Result]] = field(default_factory=list)
    """Results that failed for what may yet end the evaluation."""
    n_asked: list[int] = field(default_factory=list)
    """Cases of each plan: fewer than all once a look was the last for which it was needed."""
    ended: bool = False
    """Whether what comes now, of a worker that does not heed its cancellation, comes too late."""

    async def run(self) -> tuple[Evaluation, ...]:
        self.results = [[] for _ in self.plans]
        self.n_asked = [len(plan.dataset.cases) for plan in self.plans]
        try:
            await self._look_by_look()
        finally:
            self.ended = True
            self.runs.threads.close()
        return tuple(map(self._assemble, range(len(self.plans))))

    async def _look_by_look(self) -> None:
        looks, wanted = self.looks.planned, set(range(len(self.plans)))
        for look in range(1, looks + 1):
            jobs = schedule(self.plans, look, looks)
            await self._work_off(job for job in jobs if job[0] in wanted)
            if self.interrupt.requested():
                return
            self._release()
            if look == looks:
                return
            needless = wanted.difference(self.looks.wanted())
            for plan in needless:
                self.n_asked[plan] = prefix(self.n_asked[plan], look, looks)
            wanted -= needless
            if not wanted:
                return

    async def _work_off(self, jobs: Iterator[tuple[int, Case, int]]) -> None:
        n = self.limits.concurrency
        workers = {asyncio.create_task(self._work(jobs)) for _ in range(n)}
        pending = workers
        while pending and not self.interrupt.requested() and not _failure(workers):
            _, pending = await asyncio.wait(pending, timeout=POLL_S, return_when=FIRST_EXCEPTION)
        # a row that cannot be kept stops the others: they would be paid for and lost
        if pending and not _failure(workers):
            await asyncio.wait(pending, timeout=GRACE_S, return_when=FIRST_EXCEPTION)
        pending = {worker for worker in workers if not worker.done()}
        for worker in pending:
            worker.cancel()
        if pending:
            await asyncio.wait(pending, timeout=CANCELLED_S)
        if failure := _failure(workers):
            raise failure

    def _release(self) -> None:
        """What was held did not end the evaluation: it counts as what it is."""
        for plan, result in self.held:
            self._keep(plan, result)
        self.held.clear()

    async def _work(self, jobs: Iterator[tuple[int, Case, int]]) -> None:
        for number, case, repeat in jobs:
            if self.interrupt.requested():
                return
            plan = self.plans[number]
            known = self.known.get(plan.key(case, repeat))
            if known and is_finished(known, plan):
                self.results[number].append(known)
                continue
            answer, calls = (known, ()) if known else await self.runs.answer(number, case, repeat)
            result, judged = await self.runs.score(number, case, answer)
            if self.interrupt.requested() and not is_whole(result):
                return  # it may have failed only because it was being stopped
            # what an agent has got over ends nothing, and is paid for
            if not is_whole(result) and any(c.failure in BLAMELESS for c in (*calls, *judged)):
                self.held.append((number, result))
            else:
                self._keep(number, result)

    def _keep(self, plan: int, result: Result) -> None:
        if not self.ended:
            self.results[plan].append(result)
            self.on_result(plan, result)

    def _assemble(self, number: int) -> Evaluation:
        plan = self.plans[number]
        place = {case.id: number for number, case in enumerate(plan.dataset.cases)}
        rows = sorted(self.results[number], key=lambda row: (place[row.case_id], row.repeat))
        asked = {
            c.id: plan.repeats for c in plan.dataset.shuffled(plan.seed)[: self.n_asked[number]]
        }
        if self.interrupt.reason:
            asked = dict(Counter(row.case_id for row in rows))
        return replace(
            plan.evaluation(rows),
            asked=asked if self.interrupt.reason or len(asked) < len(place) else None,
            stopped=self.interrupt.reason,
        )


def _failure(workers: Iterable[asyncio.Task[None]]) -> BaseException | None:
    """What one of them has raised, but for its cancellation."""
    ended = (worker for worker in workers if worker.done() and not worker.cancelled())
    return next(filter(None, (worker.exception() for worker in ended)), None)
