"""One run of one case: from its inputs to an answer, and from the answer to its scores."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from vcmp.calls import Call, Failure, Slot, collect
from vcmp.evaluation.attempts import DeadlineExceeded, answer, attempt, call, is_async
from vcmp.evaluation.interrupts import Interrupt
from vcmp.evaluation.outcomes import LACKS, outcome_of
from vcmp.evaluation.threads import Workers
from vcmp.evaluation.values import abridge, describe, time_awaited, total_usage
from vcmp.types import Case, Plan, Result, Score, Usage

BLAMELESS: frozenset[Failure] = frozenset({"auth", "quota", "connection", "missing", "stopped"})
"""Failures of a call that say nothing about the agent, should they end the evaluation."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Answers and scores the cases of plans.

    What an agent or a scorer raises becomes a part of the result.
    """

    plans: Sequence[Plan]
    deadline_s: float
    """Wall-clock seconds for an answer, and for each of its scores."""
    capture: Capture | None
    journal: Journal | None
    interrupt: Interrupt
    threads: Workers = field(default_factory=Workers)

    async def answer(self, number: int, case: Case, repeat: int) -> tuple[Result, tuple[Call, ...]]:
        """The result without scores, and the agent's calls.

        Args:
            number: The position of the plan.
            case: What the agent is asked.
            repeat: Which run of the case it is.
        """
        plan = self.plans[number]
        trace = (
            self.capture.case(plan.version.name, case.id, case.inputs)
            if self.capture
            else nullcontext(tuple)
        )
        started, clock = time.time(), time.perf_counter()
        with collect(_slot(plan, case, repeat)) as calls, trace as spans:
            output, failure = await attempt(
                self.deadline_s, answer, plan.agent, case.inputs, self.threads
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

    async def score(
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
            if self.journal and plan.cards[name].judge and self._is_final(score.value, own):
                self.journal.scored(number, answer, name, score)
            return score

        given = dict(zip(wanted, await asyncio.gather(*map(judge, wanted)), strict=True))
        scores = {**answer.scores, **given}
        return replace(answer, scores={name: scores[name] for name in plan.scorers}), tuple(calls)

    def _is_final(self, value: float | None, calls: Sequence[Call]) -> bool:
        """Whether a judge has said all that it will: it may also be none that can be read."""
        spoiled = self.interrupt.requested() or any(c.failure in BLAMELESS for c in calls)
        return value is not None or not spoiled

    async def _judge(self, scorer: Callable[..., Any], case: Case, output: Any) -> Score:
        score, failure = await attempt(self.deadline_s, call, scorer, self.threads, case, output)
        if failure:
            return Score(value=None, error=describe(failure))
        if not isinstance(score, Score):
            told = f"the scorer returned {score!r}, not a Score"
            return Score(value=None, error=abridge(told))
        return replace(score, rationale=abridge(score.rationale), error=abridge(score.error))


def is_finished(result: Result, plan: Plan) -> bool:
    """Whether nothing more is to be asked about a result."""
    return bool(result.error) or result.scores.keys() >= plan.scorers.keys()


def is_whole(result: Result) -> bool:
    """Whether the agent answered and every scorer could tell."""
    return not result.error and all(score.value is not None for score in result.scores.values())


def _slot(plan: Plan, case: Case, repeat: int, scorer: str = "") -> Slot:
    variant = plan.version.variant.name
    return Slot(variant=variant, case_id=case.id, repeat=repeat, scorer=scorer)
