"""Listing, ranking, finding and summing up what has been recorded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.conftest import CASES, DAY_S, Recording, mended, support
from vcmp.errors import TrackingError
from vcmp.tracking import BEST_OF, AssessmentSummary, Found, MlflowTracker, RecordedVersion, Sought
from vcmp.tracking.catalog import rank


def names(found: tuple[RecordedVersion, ...]) -> list[tuple[str, str]]:
    return [(version.variant, version.answered_by) for version in found]


def test_versions_are_listed_newest_first(recording: Recording):
    """The order in which they were first recorded, whatever was evaluated again since."""
    assert names(recording.tracker.versions()) == [
        ("basic", "scripted"),
        ("empathetic", "openai"),
        ("basic", "openai"),
    ]


def test_a_version_tells_where_it_comes_from(recording: Recording):
    """Name, commit and parameters are enough to make it again."""
    *_, basic = recording.tracker.versions(app="app")

    assert (basic.name, basic.model_id) == (
        "app-basic-git-a41e0d70",
        recording.basic.model_id,
    )
    assert (basic.commit[:7], basic.branch, basic.dirty) == ("a41e0d7", "main", False)
    assert basic.params["temperature"] == "0.3"
    assert (basic.scripted, basic.run_id) == (False, recording.basic.run_id)


def test_metrics_are_those_of_the_newest_evaluation(recording: Recording):
    """MLflow keeps the values of all runs of a model under one key."""
    empathetic = recording.tracker.versions()[1]

    assert empathetic.metrics["polite/mean"] == pytest.approx(0.9)
    assert empathetic.metrics["error_rate"] == 0.0
    assert empathetic.run_id == recording.empathetic[1].run_id


def test_scores_rank_the_highest_first(recording: Recording):
    """A scorer's name stands for its mean."""
    assert names(recording.tracker.versions("polite")) == [
        ("empathetic", "openai"),
        ("basic", "scripted"),
        ("basic", "openai"),
    ]


@pytest.mark.parametrize("metric", ["error_rate", "latency_s/p95", "latency_s", "cost_usd"])
def test_measurements_and_errors_rank_the_lowest_first(metric: str):
    """Slow, dear and failing are never best."""
    full = {"latency_s": "latency_s/mean", "cost_usd": "cost_usd/total"}.get(metric, metric)
    found = [
        RecordedVersion(name=name, model_id=name, created_s=0.0, metrics=metrics)
        for name, metrics in (("none", {}), ("high", {full: 2.0}), ("low", {full: 1.0}))
    ]

    assert [version.name for version in rank(found, metric)] == ["low", "high", "none"]


def test_an_unknown_metric_is_named_with_the_nearest(recording: Recording):
    """A misspelt metric must not look like one that nobody has."""
    with pytest.raises(TrackingError) as caught:
        recording.tracker.versions("polit")

    assert str(caught.value) == (
        "no recorded version has the metric 'polit'. Did you mean 'polite'?\n"
        "  Recorded: cost_usd, error_rate, input_tokens, latency_s, output_chars, output_tokens, "
        "polite, relevance."
    )


def test_versions_of_other_apps_are_left_out(recording: Recording):
    """One experiment may hold several apps."""
    assert recording.tracker.versions(app="another") == ()


def read(found: Found) -> str:
    """What the fixture wrote into the evaluation's file."""
    folder = found.folder
    assert {file.name for file in folder.iterdir()} == {"evaluation.json", "results.jsonl"}
    return str(json.loads((folder / "evaluation.json").read_text())["note"])


def test_the_newest_evaluation_of_a_variant_is_found(recording: Recording):
    """Newest is when it was evaluated, not when it was recorded."""
    sought = Sought(app="app", variant="empathetic")

    assert recording.tracker.find(sought, read) == "empathetic 2"
    assert recording.tracker.find_all(sought, read) == ("empathetic 2", "empathetic 1")


def test_an_evaluation_is_found_by_version_name_and_by_model_id(recording: Recording):
    """Both are what a report and MLflow's UI show."""
    found = recording.tracker.find(Sought(app="app", version="app-empathetic-git-a41e0d70"), read)
    same = recording.tracker.find(Sought(app="app", version=recording.basic.model_id), read)

    assert (found, same) == ("empathetic 2", "basic")


def test_only_what_passed_is_found_when_asked_for(recording: Recording):
    """`baseline: latest` is the newest version that passed."""
    recording.tracker.attach(recording.empathetic[0], [], {"vcmp.verdict": "pass"})

    assert recording.tracker.find(Sought(app="app", passed=True), read) == "empathetic 1"


@pytest.mark.parametrize(
    "wanted",
    [{"app": "it's another"}, {"app": "app", "variant": "none"}, {"app": "app", "version": "none"}],
)
def test_nothing_is_found_where_nothing_matches(recording: Recording, wanted: dict[str, str]):
    """A missing baseline is for the caller to report."""
    assert recording.tracker.find(Sought(**wanted), read) is None


def test_what_won_a_selection_says_so(recording: Recording):
    """It was chosen for its numbers, so they are too good; other runs of the version are not."""
    recording.tracker.attach(recording.empathetic[1], [], {BEST_OF: "5"})

    assert recording.tracker.find_all(
        Sought(app="app", variant="empathetic"), lambda found: found.best_of
    ) == (5, 0)


def test_one_version_of_an_app_is_pinned(other: MlflowTracker, tmp_path: Path):
    """Pinning another one moves the pin."""
    names = [other.record(support(variant, 0.5), tmp_path).model_id for variant in ("calm", "kind")]

    assert (other.anchor("app"), other.unpin("app")) == (None, None)
    assert other.pin("app-calm-git-a41e0d70").model_id == names[0]
    assert other.pin(names[1]).variant == "kind"
    assert [version.variant for version in other.versions() if version.anchor] == ["kind"]
    assert (pinned := other.anchor("app")) is not None
    assert (pinned.name, pinned.model_id) == ("app-kind-git-a41e0d70", names[1])
    assert other.anchor("it's another") is None
    assert (unpinned := other.unpin("app")) is not None
    assert unpinned.variant == "kind"
    assert other.anchor("app") is None


def test_what_vcmp_did_not_record_cannot_be_pinned(other: MlflowTracker, mlflow: Any):
    """It has no results to compare with."""
    other.prepare()
    mlflow.MlflowClient().create_logged_model(
        mlflow.get_experiment_by_name("other").experiment_id, name="foreign"
    )

    with pytest.raises(TrackingError) as caught:
        other.pin("foreign")

    assert str(caught.value) == (
        "version 'foreign' was not recorded by vcmp, so nothing can be compared with it.\n"
        "  Pin one that was: vcmp versions shows them"
    )
    with pytest.raises(TrackingError, match=r"version 'foreig' is not recorded\. Did you mean"):
        other.pin("foreig")


def test_only_evaluations_with_the_same_yardstick_are_found(recording: Recording):
    """A run of other cases, another scorer or the demo is no baseline for this one."""
    made = support("basic", 0.5)
    same = Sought(
        app="app",
        variant="basic",
        dataset=made.dataset.digest,
        scripted=False,
        scorers=made.scorers,
    )
    stricter = {"polite": replace(made.scorers["polite"], digest="stricter")}

    assert recording.tracker.find(same, read) == "basic"
    assert recording.tracker.find(replace(same, scripted=True), read) == "scripted"
    assert recording.tracker.find(replace(same, dataset="another"), read) is None
    assert recording.tracker.find(replace(same, scorers=stricter), read) is None


def test_a_reader_may_ask_for_the_next_and_leaves_no_folder(recording: Recording):
    """The files are read and gone."""
    seen: list[Path] = []

    def refuse(found: Found) -> None:
        seen.append(found.folder)

    assert recording.tracker.find(Sought(app="app", variant="empathetic"), refuse) is None
    assert len(seen) == 2
    assert not any(folder.exists() for folder in seen)


def test_versions_are_ranked_on_one_dataset(recording: Recording, tmp_path: Path):
    """A run of two cases may reach 1.0; it is not better than 0.5 on all of them."""
    tracker = replace(recording.tracker, experiment="two datasets")
    files = tmp_path / "files"
    files.mkdir()
    smoke = support("smoke", 1.0, begun_s=1_700_000_000.0 - DAY_S)
    few = smoke.dataset.cases[:2]
    smoke = replace(
        smoke,
        dataset=replace(smoke.dataset, cases=few),
        results=tuple(r for r in smoke.results if r.case_id in {case.id for case in few}),
    )
    full = support("basic", 0.5)
    tracker.record(mended(full, 0.4), files)
    tracker.record(smoke, files)
    tracker.record(replace(smoke, version=full.version), files)

    first, last = tracker.versions("polite")

    assert (first.variant, first.metrics["polite/mean"]) == ("basic", pytest.approx(0.4))
    assert (first.n_cases, first.n_results, first.comparable) == (5, 10, True)
    assert (last.variant, last.n_cases, last.n_results, last.comparable) == ("smoke", 2, 4, False)
    assert (first.dataset, first.dataset_digest) == ("support", full.dataset.digest[:8])


def test_what_a_look_ended_is_ranked_on_the_cases_that_it_asked(
    recording: Recording, tmp_path: Path
):
    """It is complete, and not better than another on all cases; its whole dataset is the same."""
    tracker = replace(recording.tracker, experiment="looks")
    (tmp_path / "evaluation.json").touch()
    (tmp_path / "results.jsonl").touch()
    early, full = support("early", 1.0), support("basic", 0.5)
    asked = {case.id: 2 for case in early.dataset.cases[:2]}
    rows = tuple(row for row in early.results if row.case_id in asked)
    tracker.record(replace(early, asked=asked, results=rows), tmp_path)
    alone = tracker.versions("polite")
    tracker.record(mended(full, 0.4), tmp_path)

    first, last = tracker.versions("polite")

    assert [(each.variant, each.n_cases, each.comparable) for each in alone] == [("early", 2, True)]
    assert (first.variant, first.n_cases, first.comparable) == ("basic", 5, True)
    assert (last.variant, last.n_cases, last.n_results, last.comparable) == ("early", 2, 4, False)
    sought = Sought(app="app", variant="early", dataset=full.dataset.digest)
    assert tracker.find_all(sought, lambda _found: True) == (True,)


def test_only_the_traces_of_the_newest_evaluation_are_summed_up(recording: Recording):
    """Those of another dataset or an older run would change every mean; they are counted."""
    summary = recording.tracker.show(recording.empathetic[0].model_id)

    assert (summary.traces, summary.errors) == (10, 0)
    assert (summary.evaluations, summary.traces_altogether) == (2, 20)


def test_traces_are_summed_up(recording: Recording):
    """The guide's analysis, with failed traces in the error rate and out of the latency."""
    summary = recording.tracker.show(recording.basic.model_id)

    assert (summary.traces, summary.errors, summary.error_rate) == (10, 1, 0.1)
    assert summary.latency_s == pytest.approx(
        {
            "mean": (5.5 - 0.3) / 9,
            "min": 0.1,
            "max": 1.0,
            "p50": 0.6,
            "p95": 0.96,
            "p99": 0.992,
        }
    )
    assert summary.tokens_mean == {"input_tokens": 40, "output_tokens": 20}
    assert summary.tokens_total == {"input_tokens": 400, "output_tokens": 200}
    assert summary.output_chars_mean == pytest.approx((7 * 14 + 2 * 13) / 9)
    assert summary.assessments == {
        "polite": AssessmentSummary(mean=pytest.approx(4 / 9), scored=9, asked=10),
        "relevance": AssessmentSummary(mean=pytest.approx(0.65), scored=10, asked=10),
    }


def test_the_newest_version_of_a_name_is_shown_without_scripted_latency(recording: Recording):
    """Nobody thought about the demo's answers, so how long they took means nothing."""
    summary = recording.tracker.show("app-basic-git-a41e0d70")

    assert summary.version.model_id == recording.scripted.model_id
    assert (summary.traces, summary.latency_s) == (10, {})


def test_traces_that_vcmp_did_not_make_are_summed_up(
    other: MlflowTracker, mlflow: Any, monkeypatch: pytest.MonkeyPatch
):
    """An agent in service writes its own traces; judges there answer in words."""
    other.prepare()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    model = mlflow.initialize_logged_model(name="in-service")

    @mlflow.trace
    def answer(question: str) -> str:
        return question.upper()

    with mlflow.tracing.context(metadata={"mlflow.modelId": model.model_id}):
        for question in ("long", "longer"):
            answer(question)
    mlflow.flush_trace_async_logging()
    for trace, verdict in zip(
        mlflow.search_traces(model_id=model.model_id, return_type="list"),
        ("yes", "no"),
        strict=True,
    ):
        mlflow.log_feedback(trace_id=trace.info.trace_id, name="safe", value=verdict)

    summary = other.show("in-service")

    assert (summary.traces, summary.errors, summary.output_chars_mean) == (2, 0, 5.0)
    assert summary.assessments == {"safe": AssessmentSummary(mean=0.5, scored=2, asked=2)}
    assert summary.tokens_total == {}
    assert summary.version.app == ""


def test_an_unknown_version_is_named_with_the_nearest(recording: Recording):
    """The newest few are listed, to copy from."""
    with pytest.raises(TrackingError) as caught:
        recording.tracker.show("app-basic-git-a41e0d7")

    assert str(caught.value) == (
        "version 'app-basic-git-a41e0d7' is not recorded. Did you mean 'app-basic-git-a41e0d70'?\n"
        "  Recorded last: app-basic-git-a41e0d70, app-empathetic-git-a41e0d70."
    )


def test_a_dataset_is_read_by_name_and_by_id(recording: Recording, mlflow: Any):
    """Records come in any order; the reader of datasets gives them ids by their content."""
    made = mlflow.genai.datasets.create_dataset(name="cases", experiment_id=["0"])
    made.merge_records(
        [
            {"inputs": dict(case.inputs), "expectations": dict(case.expectations)}
            for case in CASES[:2]
        ]
    )

    rows = recording.tracker.dataset("cases")

    assert sorted(row["inputs"]["question"] for row in rows) == ["easy?", "hard?"]
    assert sorted(row["expectations"]["facts"] for row in rows) == [["easy"], ["hard"]]
    assert [row["tags"] for row in rows] == [{}, {}]
    assert recording.tracker.dataset(made.dataset_id) == rows


def test_a_missing_dataset_is_an_error(recording: Recording):
    """It says in which store was looked."""
    with pytest.raises(TrackingError) as caught:
        recording.tracker.dataset("none")

    assert str(caught.value) == (
        "dataset.path=mlflow:none: no evaluation dataset of this name or id in "
        f"{recording.tracker.store.uri}.\n"
        "  Create it with mlflow.genai.datasets.create_dataset, or set tracking.uri=…"
    )


def test_reading_does_not_create_a_store(tmp_path: Path):
    """A list of versions in a fresh project is empty, and takes no time."""
    tracker = MlflowTracker(project=tmp_path)

    assert tracker.versions() == ()
    assert tracker.find(Sought(app="app"), read) is None
    with pytest.raises(TrackingError, match=r"^version 'x' is not recorded\.\n  No version is\.$"):
        tracker.show("x")
    with pytest.raises(TrackingError, match="no evaluation dataset"):
        tracker.dataset("x")
    assert list(tmp_path.iterdir()) == []


def test_a_day_lies_between_the_two_evaluations(recording: Recording, mlflow: Any):
    """What the tests above stand on: runs carry the time of the evaluation."""
    first, second = (mlflow.get_run(recorded.run_id) for recorded in recording.empathetic)

    assert second.info.start_time - first.info.start_time == DAY_S * 1000
