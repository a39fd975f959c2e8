"""The loop itself.

All versions advance together, case by case in a seeded random order, so that a provider's drift
hits every version alike. What the world does wrong is a row in the result: whatever an agent or a
scorer raises, SystemExit included, stays with its case.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from vcmp.calls import Call, Slot, collect
from vcmp.errors import EvaluationError
from vcmp.evaluation.attempts import DeadlineExceeded, answer, attempt, call, is_async
from vcmp.evaluation.interrupts import Interrupt, heeded
from vcmp.evaluation.order import ALL_AT_ONCE, Looks, schedule
from vcmp.evaluation.outcomes import LACKS, outcome_of
from vcmp.evaluation.threads import Workers
from vcmp.evaluation.values import abridge, describe, time_awaited, total_usage
from vcmp.types import Case, Evaluation, Limits, Plan, Result, Score, Usage, prefix

OnResult = Callable[[int, Result], None]


class Capture(Protocol):
    """Keeps the spans of agents that trace themselves."""

    def case(
        self, version: str, case_id: str, inputs: Mapping[str, Any]
    ) -> AbstractContextManager[Callable[[], tuple[Mapping[str, Any], ...]]]:
        """Open the case's one trace; the callable gives its spans once the block has ended."""
        ...


class Journal(Protocol):
    """Keeps what is paid for as soon as it is there, where a judge has yet to score it."""

    def answered(self, plan: int, result: Result) -> None:
        """Keep an answer that has no scores yet."""
        ...

    def scored(self, plan: int, result: Result, scorer: str, score: Score) -> None:
        """Keep one score of an answer."""
        ...


BLAMELESS = {"auth", "quota", "connection", "missing", "stopped"}
"""Failures of a call that say nothing about the agent, should they end the evaluation."""


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
            started, those in flight get `interrupts.GRACE_S` seconds. A second signal ends the
            process.
            So does a reason given to its `stop`.
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
    loop = _Loop(
        plans=plans,
        limits=limits or Limits(),
        on_result=on_result,
        capture=capture,
        interrupt=interrupt or Interrupt(),
        looks=looks,
        known=known or {},
        journal=journal,
    )
    try:
        return _run(loop.run())
    except SystemExit as exit:
        raise EvaluationError(
            f"an agent left the process from a task of its own (SystemExit: {exit}).\n"
            "  Let it raise an exception that says what is wrong."
        ) from exit


def _run(evaluation: Coroutine[Any, Any, tuple[Evaluation, ...]]) -> tuple[Evaluation, ...]:
    """Run in an event loop of its own; in a thread where one is running already (a notebook)."""
    done: list[tuple[Evaluation, ...]] = []

    async def keep() -> None:
        # no result of the task: when asyncio puts the signal handler back, it spells that out
        done.append(await evaluation)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(keep())
    else:
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(asyncio.run, keep()).result()
    return done[0]


@dataclass(slots=True, kw_only=True)
class _Loop:
    plans: Sequence[Plan]
    limits: Limits
    on_result: OnResult
    capture: Capture | None
    interrupt: Interrupt
    looks: Looks
    known: Mapping[str, Result]
    journal: Journal | None
    threads: Workers = field(default_factory=Workers)
    workers: list[asyncio.Task[None]] = field(default_factory=list)
    results: list[list[Result]] = field(default_factory=list)
    held: list[tuple[int, Result]] = field(default_factory=list)
    """Results that failed for what may yet end the evaluation."""
    n_asked: list[int] = field(default_factory=list)
    """Cases of each plan: fewer than all once a look was the last for which it was needed."""

    async def run(self) -> tuple[Evaluation, ...]:
        self.results = [[] for _ in self.plans]
        self.n_asked = [len(plan.dataset.cases) for plan in self.plans]
        try:
            with heeded(self.interrupt, self.workers):
                await self._look_by_look()
        finally:
            self.threads.close()
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
        self.workers[:] = [asyncio.create_task(self._work(jobs)) for _ in range(n)]
        # a row that cannot be kept stops the others: they would be paid for and lost
        await asyncio.wait(self.workers, return_when=asyncio.FIRST_EXCEPTION)
        for worker in self.workers:
            worker.cancel()
        for outcome in await asyncio.gather(*self.workers, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

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
            answer, calls = (known, ()) if known else await self._answer(number, case, repeat)
            result, judged = await self._score(number, case, answer)
            if self.interrupt.requested() and not is_whole(result):
                return  # it may have failed only because it was being stopped
            if any(call.failure in BLAMELESS for call in (*calls, *judged)):
                self.held.append((number, result))
            else:
                self._keep(number, result)

    def _keep(self, plan: int, result: Result) -> None:
        self.results[plan].append(result)
        self.on_result(plan, result)

    async def _answer(
        self, number: int, case: Case, repeat: int
    ) -> tuple[Result, tuple[Call, ...]]:
        plan = self.plans[number]
        trace = (
            self.capture.case(plan.version.name, case.id, case.inputs)
            if self.capture
            else nullcontext(tuple)
        )
        started, clock = time.time(), time.perf_counter()
        with collect(_slot(plan, case, repeat)) as calls, trace as spans:
            deadline_s = self.limits.case_deadline_s
            output, failure = await attempt(
                deadline_s, answer, plan.agent, case.inputs, self.threads
            )
        latency = time.perf_counter() - clock - time_awaited(calls)
        # a thread that was given up may be in the middle of a call that nobody will count
        unknown = isinstance(failure, DeadlineExceeded) and not is_async(plan.agent)
        outcome = outcome_of(output, failure, calls)
        lack = LACKS.get(outcome, "") if plan.outcomes.fails(outcome) else ""
        result = Result(
            case_id=case.id,
            repeat=repeat,
            key=plan.key(case, repeat),
            output=output,
            outcome=outcome,
            error=describe(failure) if failure else lack,
            finish=calls[-1].finish if calls else "",
            started_s=started,
            latency_s=max(latency, 0.0),
            usage=Usage() if unknown else total_usage(calls),
            calls=tuple(calls),
            trace=spans(),
        )
        judged = any(card.judge for card in plan.cards.values())
        if self.journal and judged and not result.error:
            self.journal.answered(number, result)
        return result, result.calls

    async def _score(
        self, number: int, case: Case, answer: Result
    ) -> tuple[Result, tuple[Call, ...]]:
        """The answer with all its scores, and what was asked for those."""
        if answer.error:
            return answer, ()
        plan = self.plans[number]
        wanted = [name for name in plan.scorers if name not in answer.scores]
        calls: list[Call] = []

        async def judge(name: str) -> Score:
            with collect(_slot(plan, case, answer.repeat, name)) as own:
                score = await self._judge(plan.scorers[name], case, answer.output)
            calls.extend(own)
            if self.journal and plan.cards[name].judge and score.value is not None:
                self.journal.scored(number, answer, name, score)
            return score

        given = dict(zip(wanted, await asyncio.gather(*map(judge, wanted)), strict=True))
        scores = {**answer.scores, **given}
        return replace(answer, scores={name: scores[name] for name in plan.scorers}), tuple(calls)

    async def _judge(self, scorer: Callable[..., Any], case: Case, output: Any) -> Score:
        deadline_s = self.limits.case_deadline_s
        score, failure = await attempt(deadline_s, call, scorer, self.threads, case, output)
        if failure:
            return Score(value=None, error=describe(failure))
        if not isinstance(score, Score):
            told = f"the scorer returned {score!r}, not a Score"
            return Score(value=None, error=abridge(told))
        return replace(score, rationale=abridge(score.rationale), error=abridge(score.error))

    def _assemble(self, number: int) -> Evaluation:
        plan = self.plans[number]
        place = {case.id: number for number, case in enumerate(plan.dataset.cases)}
        rows = sorted(self.results[number], key=lambda row: (place[row.case_id], row.repeat))
        asked = {
            c.id: plan.repeats for c in plan.dataset.shuffled(plan.seed)[: self.n_asked[number]]
        }
        if self.interrupt.reason:
            asked = dict(Counter(row.case_id for row in rows))
        return Evaluation(
            version=plan.version,
            dataset=plan.dataset,
            scorers=plan.cards,
            answerer=plan.answerer,
            results=tuple(rows),
            repeats=plan.repeats,
            seed=plan.seed,
            asked=asked if self.interrupt.reason or len(asked) < len(place) else None,
            outcomes=plan.outcomes,
            stopped=self.interrupt.reason,
            canaries=plan.canaries,
        )


def is_finished(result: Result, plan: Plan) -> bool:
    """Whether nothing more is to be asked about a result."""
    return bool(result.error) or result.scores.keys() >= plan.scorers.keys()


def is_whole(result: Result) -> bool:
    """Whether the agent answered and every scorer could tell."""
    return not result.error and all(score.value is not None for score in result.scores.values())


def _slot(plan: Plan, case: Case, repeat: int, scorer: str = "") -> Slot:
    variant = plan.version.variant.name
    return Slot(variant=variant, case_id=case.id, repeat=repeat, scorer=scorer)
