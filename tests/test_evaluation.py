"""The loop: order, failures as rows, deadlines, and what an interrupt keeps."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.calls import Call, abandoned, record
from vcmp.errors import ConfigError, EvaluationError
from vcmp.evaluation import (
    Interrupt,
    Looks,
    as_json,
    evaluate,
    schedule,
    time_awaited,
    total_usage,
)
from vcmp.types import (
    Answerer,
    Case,
    Dataset,
    Limits,
    Plan,
    Result,
    Score,
    ScorerCard,
    Variant,
    Version,
)


def plan(
    agent: Callable[..., Any],
    *,
    n_cases: int = 4,
    repeats: int = 1,
    name: str = "basic",
    scorer: Callable[..., Any] = lambda _case, _output: Score(value=1.0),
    seed: int = 0,
) -> Plan:
    cases = tuple(Case(id=f"c{n}", inputs={"question": str(n)}) for n in range(n_cases))
    return Plan(
        version=Version(name=name, app="app", variant=Variant(name=name)),
        agent=agent,
        dataset=Dataset(name="cases", cases=cases),
        scorers={"good": scorer},
        cards={"good": ScorerCard(digest="1")},
        answerer=Answerer(name="test"),
        repeats=repeats,
        seed=seed,
    )


async def echo(question: str) -> str:
    return question


def test_sync_and_async_agents_answer_every_case_and_repeat():
    def plain(question: str) -> str:
        return question

    for agent in (echo, plain):
        (evaluation,) = evaluate([plan(agent, repeats=2)])

        assert [(r.case_id, r.repeat, r.output) for r in evaluation.results] == [
            (f"c{case}", repeat, str(case)) for case in range(4) for repeat in range(2)
        ]
        assert evaluation.complete


def test_versions_advance_together():
    """A provider that drifts during the run hits every version alike."""
    order: list[int] = []

    evaluate(
        [plan(echo, name="a"), plan(echo, name="b")],
        limits=Limits(concurrency=1),
        on_result=lambda number, _result: order.append(number),
    )

    assert order == [0, 1] * 4


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 99))
def test_every_job_is_scheduled_once_in_an_order_the_seed_fixes(n: int, repeats: int, seed: int):
    plans = [plan(echo, n_cases=n, repeats=repeats, seed=seed, name=name) for name in "ab"]

    jobs = [(number, case.id, repeat) for number, case, repeat in schedule(plans)]

    assert len(jobs) == len(set(jobs)) == 2 * n * repeats
    assert jobs == [(number, case.id, repeat) for number, case, repeat in schedule(plans)]
    assert [job[1:] for job in jobs if job[0] == 0] == [job[1:] for job in jobs if job[0] == 1]


def test_a_failing_agent_is_a_row_with_the_worst_score():
    async def fails(question: str) -> str:
        if question == "2":
            raise RuntimeError("no\nanswer")
        return question

    (evaluation,) = evaluate([plan(fails)])

    failed = evaluation.results[2]
    assert (failed.error, failed.output, failed.value("good")) == (
        "RuntimeError: no answer", None, 0.0,
    )  # fmt: skip
    assert [r.value("good") for r in evaluation.results] == [1.0, 1.0, 0.0, 1.0]


def test_an_agent_that_returns_none_or_leaves_the_process_has_failed():
    async def empty(question: str) -> None:
        return None

    def leaves(question: str) -> str:
        raise SystemExit(3)

    async def leaves_async(question: str) -> str:
        raise SystemExit(3)

    errors = [
        evaluate([plan(agent, n_cases=1)])[0].results[0].error
        for agent in (empty, leaves, leaves_async)
    ]

    assert errors == [
        "the agent returned None",
        "SystemExit: 3",
        "SystemExit: 3",
    ]


def test_a_deadline_holds_for_agents_that_block():
    def blocks(question: str) -> str:
        time.sleep(30 if question == "1" else 0)
        return question

    began = time.monotonic()
    (evaluation,) = evaluate([plan(blocks)], limits=Limits(case_deadline_s=0.3))

    assert evaluation.results[1].error == "DeadlineExceeded: no answer within 0.3 s"
    assert time.monotonic() - began < 10


def test_the_agents_own_timeout_is_told_apart_from_the_deadline():
    async def slow(question: str) -> str:
        raise TimeoutError("the search index did not answer")

    (evaluation,) = evaluate([plan(slow, n_cases=1)])

    assert evaluation.results[0].error == "TimeoutError: the search index did not answer"


def test_a_scorer_that_raises_leaves_the_case_unscored():
    def raises(case: Case, output: Any) -> Score:
        if case.id == "c1":
            raise KeyError("facts")
        return Score(value=0.5)

    (evaluation,) = evaluate([plan(echo, scorer=raises)])

    assert [r.value("good") for r in evaluation.results] == [0.5, None, 0.5, 0.5]
    assert evaluation.results[1].scores["good"].error == "KeyError: 'facts'"


def test_async_scorers_run_too():
    async def judge(case: Case, output: Any) -> Score:
        await asyncio.sleep(0)
        return Score(value=0.25)

    (evaluation,) = evaluate([plan(echo, scorer=judge)])

    assert {r.value("good") for r in evaluation.results} == {0.25}


def test_calls_belong_to_the_case_that_made_them():
    async def asks(question: str) -> str:
        await asyncio.sleep(0.01 * (4 - int(question)))
        record(Call(api="chat", model=question, input_tokens=1, output_tokens=int(question)))
        return question

    def asks_in_thread(question: str) -> str:
        record(Call(api="chat", model=question, input_tokens=1, output_tokens=int(question)))
        return question

    for evaluation in evaluate([plan(asks, name="a"), plan(asks_in_thread, name="b")]):
        for n, result in enumerate(evaluation.results):
            assert [call.model for call in result.calls] == [str(n)]
            assert (result.usage.input_tokens, result.usage.output_tokens) == (1, n)


def test_usage_is_unknown_as_soon_as_one_call_is():
    known, unknown = Call(api="x", input_tokens=2, cost_usd=0.1), Call(api="x")

    assert total_usage([known, known]).input_tokens == 4
    assert total_usage([known, unknown]).input_tokens is None
    assert total_usage([]).cost_usd is None


def test_waiting_for_a_retry_is_not_latency():
    async def retried(question: str) -> str:
        await asyncio.sleep(0.2)
        record(Call(api="chat", waited_s=0.2, attempts=2))
        return question

    (evaluation,) = evaluate([plan(retried, n_cases=1)])

    assert evaluation.results[0].latency_s < 0.15


def test_an_interrupt_starts_no_new_case_and_keeps_what_is_done():
    interrupt, seen = Interrupt(), 0

    def stop(_plan: int, _result: Result) -> None:
        nonlocal seen
        seen += 1
        interrupt.signal = 2 if seen == 3 else 0

    (evaluation,) = evaluate(
        [plan(echo, n_cases=50)], limits=Limits(concurrency=1), on_result=stop, interrupt=interrupt
    )

    assert len(evaluation.results) == 3
    assert not evaluation.complete


def test_a_look_begins_when_the_one_before_has_ended():
    """What is asked in vain is paid for in vain."""
    seen: list[tuple[int, str]] = []
    counts: list[int] = []

    def wanted() -> range:
        counts.append(len(seen))
        return range(2)

    evaluate(
        [plan(echo, n_cases=10), plan(echo, n_cases=10, repeats=2)],
        on_result=lambda number, result: seen.append((number, result.case_id)),
        looks=Looks(planned=3, wanted=wanted),
    )

    assert counts == [3 * 4, 3 * 7]
    assert len(seen) == 3 * 10
    assert [len({case_id for _, case_id in seen[:n]}) for n in counts] == [4, 7]


def test_a_plan_that_is_not_wanted_any_more_is_complete_up_to_that_look():
    wanted = iter([[0], []])
    plans = [plan(echo, n_cases=10, seed=3), plan(echo, n_cases=10, repeats=2, seed=3)]

    longer, shorter = evaluate(plans, looks=Looks(planned=5, wanted=lambda: next(wanted)))

    order = [case.id for case in plans[0].dataset.shuffled(3)]
    assert longer.asked == dict.fromkeys(order[:4], 1)
    assert shorter.asked == dict.fromkeys(order[:2], 2)
    assert (longer.n_asked, shorter.n_asked) == (4, 4)
    assert longer.complete
    assert shorter.complete
    assert {case.id for case in shorter.cases} == set(order[:2])


def test_an_interrupt_leaves_incomplete_what_no_look_has_ended():
    """The one that a look had ended before has all that it was to have."""
    interrupt, seen = Interrupt(), 0

    def stop(_plan: int, _result: Result) -> None:
        nonlocal seen
        seen += 1
        interrupt.signal = 2 if seen == 11 else 0

    going, ended = evaluate(
        [plan(echo, n_cases=8), plan(echo, n_cases=8)],
        limits=Limits(concurrency=1),
        on_result=stop,
        interrupt=interrupt,
        looks=Looks(planned=2, wanted=lambda: [0]),
    )

    assert (len(going.results), going.n_asked, going.complete) == (7, 8, False)
    assert (len(ended.results), ended.n_asked, ended.complete) == (4, 4, True)


def test_outputs_become_json_values():
    assert as_json({"a": (1, float("nan"), {2})}) == {"a": [1, "nan", [2]]}
    assert as_json(Score(value=1.0)) == {
        "value": 1.0,
        "rationale": "",
        "error": "",
        "agreement": None,
    }
    assert as_json(object).startswith("<class")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    "failure",
    [asyncio.CancelledError(), KeyboardInterrupt(), BaseExceptionGroup("g", [SystemExit()]),
     UnprintableError(), StopIteration()],
    ids=lambda failure: type(failure).__name__,
)  # fmt: skip
def test_whatever_an_agent_raises_is_a_row(failure: BaseException):
    """A row that vanished would leave the denominator, and the version would look better."""

    def plain(question: str) -> str:
        if question == "1":
            raise failure
        return question

    async def asynchronous(question: str) -> str:
        return plain(question)

    for agent in (plain, asynchronous):
        (evaluation,) = evaluate([plan(agent)], limits=Limits(concurrency=1))

        assert evaluation.complete
        assert [bool(result.error) for result in evaluation.results] == [False, True, False, False]


def test_a_task_of_an_agent_that_leaves_the_process_ends_the_evaluation_in_words():
    async def leave() -> None:
        raise SystemExit(0)

    async def agent(question: str) -> str:
        await asyncio.gather(leave())
        return question

    with pytest.raises(EvaluationError) as ended:
        evaluate([plan(agent)])

    assert str(ended.value) == (
        "an agent left the process from a task of its own (SystemExit: 0).\n"
        "  Let it raise an exception that says what is wrong."
    )


def test_a_row_that_cannot_be_kept_stops_the_others():
    async def slow(question: str) -> str:
        await asyncio.sleep(0.01)
        return question

    def full(_plan: int, _result: Result) -> None:
        raise OSError(28, "No space left on device")

    began = time.monotonic()
    with pytest.raises(OSError, match="No space left"):
        evaluate([plan(slow, n_cases=5000)], limits=Limits(concurrency=2), on_result=full)

    assert time.monotonic() - began < 5


def test_generators_and_nameless_objects_are_not_answers():
    def generator(question: str) -> Iterator[str]:
        yield question

    async def async_generator(question: str) -> AsyncIterator[str]:
        yield question

    errors = [
        evaluate([plan(agent, n_cases=1)])[0].results[0].error
        for agent in (generator, async_generator, lambda question: object())
    ]

    assert errors == [
        "TypeError: the agent returned a generator; return the whole answer",
        "TypeError: the agent returned a generator; return the whole answer",
        "TypeError: the agent returned a object, which is not a JSON value",
    ]


def test_waits_at_the_same_time_are_counted_once():
    calls = [Call(api="x", started_s=10.0, waited_s=2.0) for _ in range(4)]
    later = Call(api="x", started_s=11.5, waited_s=1.0)

    assert time_awaited(calls) == 2.0
    assert time_awaited([*calls, later]) == 2.5
    assert time_awaited([]) == 0.0


def test_an_agent_given_up_on_makes_no_more_calls_and_its_cost_is_unknown():
    seen: list[bool] = []

    def blocks(question: str) -> str:
        record(Call(api="chat", input_tokens=1, output_tokens=1))
        time.sleep(0.4)
        seen.append(abandoned())
        record(Call(api="chat", input_tokens=1, output_tokens=1))
        return question

    (evaluation,) = evaluate([plan(blocks, n_cases=1)], limits=Limits(case_deadline_s=0.1))
    time.sleep(0.6)

    assert seen == [True]
    assert len(evaluation.results[0].calls) == 1
    assert evaluation.results[0].usage.input_tokens is None


def test_limits_and_repeats_must_leave_something_to_run():
    with pytest.raises(ConfigError) as none:
        plan(echo, repeats=0)
    assert str(none.value) == "repeats=0 asks nothing. Give it 1 or more."

    with pytest.raises(ConfigError) as empty:
        Limits(concurrency=0)
    assert str(empty.value) == "concurrency=0 leaves no room to run. Give it more than 0."


def test_a_notebook_may_evaluate_too():
    """There an event loop is running already."""

    async def cell() -> int:
        return len(evaluate([plan(echo)])[0].results)

    assert asyncio.run(cell()) == 4
