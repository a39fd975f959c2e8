"""What an evaluation leaves in MLflow, read with MLflow's own functions as its users do."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.conftest import Recording, support
from vcmp.errors import TrackingError
from vcmp.metrics import quantile
from vcmp.tracking import Recorded, Sought
from vcmp.tracking.spans import clean
from vcmp.types import Case, Dataset, Result, Score


@pytest.fixture
def traces(recording: Recording, mlflow: Any) -> list[Any]:
    """Of `basic`, oldest first."""
    found = mlflow.search_traces(
        locations=[recording.experiment_id], model_id=recording.basic.model_id, return_type="list"
    )
    return sorted(found, key=lambda trace: trace.info.request_time)


def test_the_guides_ranking_of_versions_runs(recording: Recording, mlflow: Any):
    """Newest first, and the best by a metric: the code a user of MLflow copies from its guide."""
    models = mlflow.search_logged_models(
        experiment_ids=[recording.experiment_id],
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
        output_format="list",
    )
    ours = [model for model in models if model.tags["vcmp.answered_by"] == "openai"][-2:]

    def polite(model: Any) -> float:
        return max(metric.value for metric in model.metrics if metric.key == "polite/mean")

    assert [model.name for model in ours] == [
        "app-empathetic-git-a41e0d70",
        "app-basic-git-a41e0d70",
    ]
    assert max(ours, key=polite).name == "app-empathetic-git-a41e0d70"


def test_the_guides_comparison_of_two_versions_runs(recording: Recording, mlflow: Any):
    """Parameters and metrics side by side, tied to version, run and dataset."""
    one = mlflow.get_logged_model(recording.basic.model_id)
    two = mlflow.get_logged_model(recording.empathetic[0].model_id)
    metrics = {metric.key: metric for metric in one.metrics}

    assert one.params.keys() == two.params.keys() == {"prompt", "temperature", "tools.search"}
    assert (two.params["prompt"], two.params["tools.search"]) == ("Be brief.", "true")
    assert metrics["polite/mean"].value == pytest.approx((0.5 + 0.25 + 0.5 + 0.5 + 0.5) / 5)
    assert metrics["polite/mean"].run_id == recording.basic.run_id
    assert metrics["polite/mean"].dataset_name == "support"
    assert {"latency_s/p50", "error_rate", "cost_usd/total"} <= metrics.keys()
    assert str(one.status) == "READY"


def test_the_guides_analysis_of_traces_runs(recording: Recording, mlflow: Any):
    """As a DataFrame, which is what `search_traces` gives by default."""
    table = mlflow.search_traces(
        locations=[recording.experiment_id], model_id=recording.basic.model_id
    )
    answered = table[table["state"] == "OK"]

    assert len(table) == 10
    assert quantile(list(answered["execution_duration"]), 0.5) == 600
    assert table["request"].map(lambda request: request["question"]).nunique() == 5


def test_every_result_is_one_trace_of_its_version_and_run(recording: Recording, traces: list[Any]):
    """Case and repeat are tags, so a trace is found by them; times and tokens are the result's."""
    infos = [trace.info for trace in traces]
    repeats = {(info.tags["vcmp.case_id"], info.tags["vcmp.repeat"]) for info in infos}

    assert len(infos) == len(repeats) == 10
    for number, info in enumerate(infos):
        assert info.trace_metadata["mlflow.sourceRun"] == recording.basic.run_id
        assert info.request_time == 1_700_000_000_000 + 1000 * number
        assert info.execution_duration == 100 * (number + 1)
        assert info.token_usage == {"input_tokens": 40, "output_tokens": 20, "total_tokens": 60}
        assert info.cost == {"total_cost": 0.0005}


def test_a_trace_shows_the_case_and_the_calls_of_the_agent(traces: list[Any]):
    """An agent that does not trace itself has a span for each call to a model all the same."""
    trace = traces[0]
    root, call = trace.data.spans

    assert (root.span_type, root.inputs, root.outputs) == (
        "AGENT",
        {"question": "easy?"},
        "answer to easy",
    )
    assert (call.span_type, call.parent_id) == ("CHAT_MODEL", root.span_id)
    assert call.inputs["messages"] == [{"role": "user", "content": "late?"}]
    assert call.outputs["choices"][0]["message"]["content"] == "tomorrow"
    assert call.model_name == "gpt-4o-mini-2024-07-18"
    assert call.get_attribute("mlflow.chat.tokenUsage")["output_tokens"] == 20
    assert call.get_attribute("vcmp.finish") == "stop"
    assert root.start_time_ns <= call.start_time_ns <= call.end_time_ns <= root.end_time_ns


def test_a_trace_has_the_scores_as_assessments(traces: list[Any]):
    """A judge is named by its model, a rule is code, and what was expected stands beside them."""
    found = {assessment.name: assessment for assessment in traces[0].info.assessments}
    polite, relevance = found["polite"], found["relevance"]

    assert (polite.value, polite.rationale) == (0.5, "kind words")
    assert (polite.source.source_type, polite.source.source_id) == ("CODE", "vcmp")
    assert (relevance.source.source_type, relevance.source.source_id) == (
        "LLM_JUDGE",
        "gpt-4o-mini",
    )
    assert found["facts"].expectation.value == ["easy"]


def test_a_failed_agent_is_an_error_that_counts_as_the_worst(traces: list[Any]):
    """MLflow averages the assessments it sees: without a 0 the failure would flatter."""
    trace = traces[2]
    scores = [a for a in trace.info.assessments if a.feedback]
    event = trace.data.spans[0].events[0]

    assert (trace.info.state, trace.info.response_preview) == ("ERROR", "ValueError: boom")
    assert trace.data.spans[0].status.description == "ValueError: boom"
    assert (event.name, event.attributes["exception.type"]) == ("exception", "ValueError")
    assert [(a.name, a.value, a.rationale) for a in scores] == [
        ("polite", 0.0, "the agent failed: ValueError: boom"),
        ("relevance", 0.0, "the agent failed: ValueError: boom"),
    ]
    assert {a.source.source_type for a in scores} == {"CODE"}


def test_an_unscored_score_is_an_error_without_a_value(traces: list[Any]):
    """A scorer that could not tell is not a zero, and is not left out."""
    (polite,) = (a for a in traces[9].info.assessments if a.name == "polite")

    assert polite.value is None
    assert (polite.error.error_code, polite.error.error_message) == (
        "UNSCORED",
        "the judge gave no JSON",
    )


def test_a_scripted_judge_never_passes_for_a_model(recording: Recording, mlflow: Any):
    """The demo's numbers are marked wherever they are shown, and cost nothing."""
    found = mlflow.search_traces(
        locations=[recording.experiment_id],
        model_id=recording.scripted.model_id,
        return_type="list",
    )
    judged = [a for trace in found if trace.info.state == "OK" for a in trace.info.assessments]
    sources = {a.source.source_id for a in judged if a.name == "relevance"}

    assert {a.source.source_type for a in judged if a.feedback} == {"CODE"}
    assert sources == {"scripted judge"}
    assert all(trace.info.cost is None for trace in found)


def test_a_version_recorded_twice_is_one_model_with_two_runs(recording: Recording):
    """A LoggedModel is the version; each evaluation of it is a run."""
    first, second = recording.empathetic

    assert first.model_id == second.model_id
    assert first.run_id != second.run_id


def test_who_answered_is_part_of_the_version(recording: Recording):
    """Numbers of the demo and of a language model do not meet under one LoggedModel."""
    assert recording.scripted.model_id != recording.basic.model_id


def test_the_run_has_inputs_tags_and_metrics(recording: Recording, mlflow: Any):
    """The run is what the UI lists among the evaluations."""
    run = mlflow.get_run(recording.basic.run_id)
    (dataset,) = run.inputs.dataset_inputs
    digest = support("basic", 0.5).dataset.digest

    assert (run.info.status, run.info.run_name) == ("FINISHED", "app-basic-git-a41e0d70")
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_000, 1_700_000_010_000)
    assert (dataset.dataset.name, dataset.dataset.digest) == ("support", digest[:36])
    assert [model.model_id for model in run.inputs.model_inputs] == [recording.basic.model_id]
    assert run.data.metrics["error_rate"] == pytest.approx(0.1)
    assert (
        run.data.tags.items()
        >= {
            "mlflow.source.git.commit": "a41e0d7" + "0" * 33,
            "mlflow.source.git.branch": "main",
            "mlflow.source.git.dirty": "false",
            "vcmp.app": "app",
            "vcmp.variant": "basic",
            "vcmp.answered_by": "openai",
            "vcmp.dataset": "support",
            "vcmp.dataset_digest": digest,
        }.items()
    )


def test_a_long_parameter_is_cut_and_kept_whole_beside(recording: Recording, mlflow: Any):
    """MLflow keeps 6,000 characters of a parameter."""
    prompt = mlflow.get_logged_model(recording.basic.model_id).params["prompt"]
    whole = mlflow.artifacts.load_dict(f"runs:/{recording.basic.run_id}/params.json")

    assert (len(prompt), prompt[-1]) == (6000, "…")
    assert whole["prompt"] == "Be brief. " * 1000


def test_reports_and_verdict_are_in_run_and_version(other: Any, mlflow: Any, tmp_path: Path):
    """A version's verdict is that of its newest evaluation, even if an older one comes in later."""
    for name in ("report.md", "evaluation.json", "results.jsonl"):
        (tmp_path / name).write_text("{}")
    newer, older = support("judged", 0.5), support("judged", 0.5, begun_s=1_600_000_000.0)
    reports = [tmp_path / "report.md"]

    recorded = other.record(newer, tmp_path, reports, {"vcmp.verdict": "fail"})
    late = other.record(older, tmp_path, reports, {"vcmp.verdict": "pass"})

    files = {file.path for file in mlflow.MlflowClient().list_artifacts(recorded.run_id)}
    assert files == {"evaluation.json", "params.json", "report.md", "results.jsonl"}
    assert mlflow.get_run(recorded.run_id).data.tags["vcmp.verdict"] == "fail"
    assert mlflow.get_run(late.run_id).data.tags["vcmp.verdict"] == "pass"
    assert mlflow.get_logged_model(recorded.model_id).tags["vcmp.verdict"] == "fail"


def test_an_evaluation_is_recorded_once(recording: Recording, mlflow: Any, tmp_path: Path):
    """The same rows are the same run, wherever their files lie."""
    again = recording.tracker.record(support("empathetic", 0.7), tmp_path, tags={"vcmp.x": "new"})

    assert again == replace(recording.empathetic[0], already=True)
    assert "vcmp.x" not in mlflow.get_run(again.run_id).data.tags


def test_an_interrupted_evaluation_is_not_ranked(other: Any, mlflow: Any, tmp_path: Path):
    """It covers other cases than a complete one: its metrics stay on its run."""
    made = support("interrupted", 0.9)

    recorded = other.record(replace(made, results=made.results[:3]), tmp_path)

    run = mlflow.get_run(recorded.run_id)
    assert (run.info.status, "polite/mean" in run.data.metrics) == ("KILLED", True)
    assert not mlflow.get_logged_model(recorded.model_id).metrics
    assert other.find_all(Sought(app="app", variant="interrupted"), id) == ()


def test_text_that_databases_refuse_is_recorded(other: Any, mlflow: Any, tmp_path: Path):
    """NUL and half a surrogate pair come out of models and logs, and end in every text."""
    hostile = "a\0b\ud800c"
    made = support(hostile, 0.5, prompt=hostile)
    results = (
        Result(
            case_id=hostile,
            output={hostile: hostile},
            started_s=1.0,
            scores={hostile: Score(value=0.5, rationale=hostile)},
        ),
        Result(case_id=hostile, repeat=1, error=hostile, started_s=2.0),
    )
    case = Case(id=hostile, inputs={hostile: hostile}, expectations={hostile: hostile})
    made = replace(
        made,
        dataset=Dataset(name=hostile, cases=(case,)),
        results=results,
        scorers={hostile: made.scorers["polite"]},
        version=replace(made.version, name=f"app/{hostile}.1"),
    )

    recorded = other.record(made, tmp_path)

    (model,) = mlflow.search_logged_models(
        [recorded.experiment_id], f"model_id = '{recorded.model_id}'", output_format="list"
    )
    found = mlflow.search_traces(
        locations=[recorded.experiment_id], model_id=recorded.model_id, return_type="list"
    )
    assert model.name == "app_a␀b?c_1"
    assert len(found) == 2
    assert {t.info.state: t.data.spans[0].outputs for t in found} == {
        "OK": {"a␀b?c": "a␀b?c"},
        "ERROR": None,
    }


def test_cleaning_leaves_other_values_alone():
    """Emoji are surrogate pairs only in other encodings."""
    value = {"text": "naïve 🚀", "n": [1, 0.5, None, True]}

    assert clean(value) == value


@given(st.text(st.characters(codec=None)))
def test_cleaned_text_can_be_stored(text: str):
    """Whatever a model wrote."""
    stored = clean(text).encode()

    assert b"\0" not in stored
    assert len(stored.decode()) == len(text)


def test_a_store_that_fails_leaves_a_failed_run(
    other: Any, mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Half an evaluation must not look like one; the result files are still there to record."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.tracing.client.TracingClient.log_spans", refuse)

    with pytest.raises(TrackingError) as caught:
        other.record(support("unlucky", 0.5), tmp_path)

    (run,) = mlflow.search_runs(
        search_all_experiments=True,
        filter_string="tags.`vcmp.variant` = 'unlucky'",
        output_format="list",
    )
    assert run.info.status == "FAILED"
    assert str(caught.value) == (
        f"tracking.uri='{other.store.uri}': No space left on device.\n"
        "  Mend it, name another store (tracking.uri=…), or record nothing (tracking=none)."
    )


def test_a_run_that_broke_off_is_completed(other: Any, mlflow: Any, tmp_path: Path):
    """After the traces, or before the last of them: nothing is there twice."""
    made = support("resumed", 0.5)
    first = other.record(made, tmp_path)
    client = mlflow.MlflowClient()
    client.delete_traces(first.experiment_id, trace_ids=[_trace_ids(client, first)[-1]])
    client.set_terminated(first.run_id, "FAILED")

    again = other.record(made, tmp_path)

    traces = client.search_traces([first.experiment_id], model_id=first.model_id)
    assert again == first
    assert client.get_run(first.run_id).info.status == "FINISHED"
    assert len(traces) == len(made.results)
    assert {len(trace.info.assessments) for trace in traces} == {3}
    assert {len(trace.data.spans) for trace in traces} == {2}


def _trace_ids(client: Any, recorded: Recorded) -> list[str]:
    found = client.search_traces([recorded.experiment_id], model_id=recorded.model_id)
    return [trace.info.trace_id for trace in found]


def test_nothing_is_recorded_outside_of_outputs(
    other: Any, mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No mlruns/ or mlflow.db anywhere; no run or model left active in the process."""
    monkeypatch.chdir(tmp_path)

    other.record(support("tidy", 0.5), tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert [path.name for path in other.project.iterdir()] == ["outputs"]
    assert mlflow.active_run() is None
    assert mlflow.get_active_model_id() is None


def test_recording_writes_nothing_to_the_screen(
    other: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """The screen is the report's; MLflow's log levels are as they were afterwards."""
    level = logging.getLogger("mlflow").level

    other.record(support("quiet", 0.5), tmp_path)

    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("mlflow").level == level
