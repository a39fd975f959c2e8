"""Agents that trace themselves: one trace a case, with their spans as its children."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.conftest import support
from vcmp.tracking import Capture, MlflowTracker
from vcmp.types import Case, Dataset, Evaluation, Result

N_CASES = 50
Spans = tuple[Mapping[str, Any], ...]


@pytest.fixture
def capture(mlflow: Any) -> Iterator[Capture]:
    """An open capture; afterwards MLflow's own provider must be back."""
    with Capture() as capture:
        yield capture


@pytest.fixture
def agent(mlflow: Any) -> Callable[[int], Any]:
    """An agent with a tool and a part in a thread, which seeds `random` for every case."""

    @mlflow.trace(span_type="TOOL")
    async def look_up(number: int) -> int:
        await asyncio.sleep(number % 7 / 500)
        return 2 * number

    @mlflow.trace
    def phrase(number: int) -> str:
        return f"answer {number}"

    @mlflow.trace(name="agent")
    async def answer(number: int) -> str:
        random.seed(0)
        mlflow.update_current_trace(tags={"number": str(number)}, metadata={"desk": "support"})
        return await asyncio.to_thread(phrase, await look_up(number))

    return answer


def run_interleaved(capture: Capture, agent: Callable[[int], Any]) -> dict[str, list[Result]]:
    """Cases of two versions in turn, sixteen at a time; results by version, in order of cases."""

    async def run_case(version: str, number: int, slots: asyncio.Semaphore) -> Result:
        async with slots:
            with capture.case(version, f"c{number}", {"number": number}) as spans:
                output = await agent(number)
        # as it is after a round trip through results.jsonl
        trace = json.loads(json.dumps(spans()))
        return Result(case_id=f"c{number}", output=output, started_s=1.0, trace=tuple(trace))

    async def run_all() -> list[Result]:
        slots = asyncio.Semaphore(16)
        return await asyncio.gather(
            *(run_case(version, n, slots) for n in range(N_CASES) for version in ("one", "two"))
        )

    results = asyncio.run(run_all())
    return {"one": results[::2], "two": results[1::2]}


def evaluation(variant: str, results: list[Result]) -> Evaluation:
    cases = tuple(Case(id=f"c{n}", inputs={"number": n}) for n in range(len(results)))
    return replace(
        support(variant, 0.5),
        dataset=Dataset(name="numbers", cases=cases),
        results=tuple(results),
        scorers={},
        repeats=1,
    )


def test_interleaved_cases_of_two_versions_are_recorded_complete(
    capture: Capture, agent: Callable[[int], Any], other: MlflowTracker, mlflow: Any, tmp_path: Path
):
    """Every trace has its own version and exactly its own spans; the store has no other trace."""
    tracker = replace(other, experiment="captured")
    results = run_interleaved(capture, agent)

    for version in ("one", "two"):
        recorded = tracker.record(evaluation(version, results[version]), tmp_path)
        traces = mlflow.search_traces(
            locations=[recorded.experiment_id], model_id=recorded.model_id, return_type="list"
        )
        assert len(traces) == N_CASES
        for trace in traces:
            check_trace(trace)
            assert trace.info.tags["vcmp.variant"] == version

    everything = mlflow.search_traces(locations=["0", recorded.experiment_id], return_type="list")
    assert len(everything) == 2 * N_CASES


def check_trace(trace: Any) -> None:
    """The trace of one case: agent below the root, tool and thread below the agent."""
    (root,) = (span for span in trace.data.spans if span.parent_id is None)
    spans = {span.name: span for span in trace.data.spans if span is not root}
    number = root.inputs["number"]

    assert trace.info.tags["vcmp.case_id"] == f"c{number}"
    assert spans.keys() == {"agent", "look_up", "phrase"}
    assert (root.outputs, spans["look_up"].outputs) == (f"answer {2 * number}", 2 * number)
    assert spans["agent"].parent_id == root.span_id
    assert spans["look_up"].parent_id == spans["phrase"].parent_id == spans["agent"].span_id
    assert {span.trace_id for span in trace.data.spans} == {trace.info.trace_id}
    assert trace.info.tags["number"] == str(number)
    assert trace.info.trace_metadata["desk"] == "support"


def test_an_agent_without_spans_leaves_nothing(capture: Capture):
    """Its calls are then shown in their place."""
    with capture.case("one", "c0", {}) as spans:
        pass

    assert spans() == ()


def fail(mlflow: Any) -> None:
    with mlflow.start_span("part"):
        raise ValueError("boom")


def test_a_failing_agent_leaves_its_spans(capture: Capture, mlflow: Any):
    """The error passes through, and what led to it is kept."""
    with (
        pytest.raises(ValueError, match="boom"),
        capture.case("one", "c0", {}) as spans,
    ):
        fail(mlflow)

    part = spans()[1]
    assert (part["name"], part["status"]["code"]) == ("part", "STATUS_CODE_ERROR")


def test_a_span_that_outlives_its_case_is_recorded_with_its_end(
    capture: Capture, other: MlflowTracker, mlflow: Any, tmp_path: Path
):
    """A deadline leaves a thread behind, which goes on; the trace is closed without it."""
    with capture.case("one", "c0", {}) as spans:
        late = mlflow.start_span_no_context("late", parent_span=mlflow.get_current_active_span())
    late.end()
    result = Result(case_id="c0", error="Timeout", started_s=1.0, latency_s=2.0, trace=spans())

    recorded = other.record(evaluation("late", [result]), tmp_path)

    (trace,) = mlflow.search_traces(
        locations=[recorded.experiment_id], model_id=recorded.model_id, return_type="list"
    )
    assert [span.name for span in trace.data.spans] == ["app", "late"]
    assert all(span.end_time_ns for span in trace.data.spans)


def test_spans_outside_of_a_case_are_dropped(capture: Capture, mlflow: Any):
    """They belong to no result, and would be traces of no version."""
    with mlflow.start_span("import"):
        pass
    with capture.case("one", "c0", {}) as spans, mlflow.start_span("part"):
        pass

    assert [span["name"] for span in spans()] == ["one", "part"]


def test_an_agent_that_changes_the_store_is_still_captured(
    capture: Capture, mlflow: Any, tmp_path: Path
):
    """MLflow makes a new provider then, which would write to that store on the hot path."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/agent.db")

    with capture.case("one", "c0", {}) as spans, mlflow.start_span("part"):
        pass

    assert len(spans()) == 2
    assert not (tmp_path / "agent.db").exists()


def test_an_agent_that_disables_tracing_stays_untraced(mlflow: Any):
    """And tracing stays disabled afterwards."""
    mlflow.tracing.disable()
    try:
        with Capture() as capture, capture.case("one", "c0", {}) as spans, mlflow.start_span("x"):
            pass
        assert spans() == ()
        assert not mlflow.tracing.provider.is_tracing_enabled()
    finally:
        mlflow.tracing.enable()


def test_mlflow_traces_as_before_when_the_capture_is_closed(
    other: MlflowTracker, mlflow: Any, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of ours is left in the process."""
    other.prepare()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    with Capture() as capture, capture.case("one", "c0", {}):
        pass

    with mlflow.start_span("afterwards") as span:
        pass
    mlflow.flush_trace_async_logging()

    assert mlflow.get_trace(span.trace_id).data.spans[0].name == "afterwards"


def test_calls_stand_beside_spans_that_name_no_model(
    capture: Capture, other: MlflowTracker, mlflow: Any, tmp_path: Path
):
    """An agent may trace its own steps and leave the calls to whoever sees them."""
    results = []
    for kind in ("TOOL", "CHAT_MODEL"):
        with capture.case("one", kind, {}) as spans, mlflow.start_span("part", span_type=kind):
            pass
        call = support("x", 0.5).results[0].calls
        results.append(Result(case_id=f"c{len(results)}", calls=call, trace=spans()))

    recorded = other.record(evaluation("beside", results), tmp_path)

    traces = mlflow.search_traces(
        locations=[recorded.experiment_id], model_id=recorded.model_id, return_type="list"
    )
    names = {t.info.tags["vcmp.case_id"]: [s.name for s in t.data.spans] for t in traces}
    assert {case: sorted(found) for case, found in names.items()} == {
        "c0": ["app", "chat.completions", "part"],
        "c1": ["app", "part"],
    }
