"""Which recorded evaluation a sweep is compared with."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import OPENAI, SCRIPTED, evaluation
from vcmp import baselines, results
from vcmp.baselines import Wanted
from vcmp.errors import ComparisonError
from vcmp.tracking import MlflowTracker
from vcmp.types import Evaluation, Plan

FULL = evaluation({"a": 0.5, "b": 0.5})
SMOKE = evaluation({"a": 1.0})


def plan(like: Evaluation) -> Plan:
    return Plan(
        version=evaluation({"a": 1.0}, variant="empathetic").version,
        agent=str,
        dataset=like.dataset,
        scorers={},
        cards=like.scorers,
        answerer=like.answerer,
    )


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> MlflowTracker:
    """In it a full evaluation, a later smoke run, and a later one answered by the demo."""
    project = tmp_path_factory.mktemp("project")
    tracker = MlflowTracker(experiment="baselines", project=project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "")
        for number, made in enumerate([FULL, SMOKE, replace(FULL, answerer=SCRIPTED)]):
            later = (replace(r, started_s=r.started_s + number) for r in made.results)
            made = replace(made, results=tuple(later))
            folder = project / str(number)
            results.save(made, folder)
            tracker.record(made, folder)
    return tracker


@pytest.mark.parametrize("like", [FULL, SMOKE, replace(FULL, answerer=SCRIPTED)])
def test_the_newest_comparable_recording_is_taken(tracker: MlflowTracker, like: Evaluation):
    """A smoke run or the demo, made since, does not stand in the way."""
    found, note = baselines.fetch(Wanted(name="basic", plans=(plan(like),)), tracker)

    assert found is not None
    assert (found.dataset.digest, found.answerer) == (like.dataset.digest, like.answerer)
    assert note == ""


def test_nothing_comparable_is_a_note(tracker: MlflowTracker):
    """The evaluation itself is still worth having."""
    wanted = Wanted(name="basic", plans=(plan(evaluation({"c": 1.0})),))

    assert baselines.fetch(wanted, tracker) == (
        None,
        "baseline 'basic' was recorded only with other cases, scorers or answers, "
        "so nothing is compared",
    )


def test_a_named_version_that_the_demo_answered_is_refused(tracker: MlflowTracker, tmp_path: Path):
    """Its scores are no model's."""
    made = replace(evaluation({"d": 1.0}, variant="demo"), answerer=SCRIPTED)
    results.save(made, tmp_path / "demo")
    tracker.record(made, tmp_path / "demo")
    wanted = Wanted(
        name="version:app-demo-git-a41e0d70", plans=(plan(replace(made, answerer=OPENAI)),)
    )

    with pytest.raises(ComparisonError) as caught:
        baselines.fetch(wanted, tracker)

    assert str(caught.value) == (
        "not comparable: app-demo-git-a41e0d70 was answered by 'scripted', this sweep is by "
        "'openai', and one of them is a demo that calls no language model.\n"
        "  Evaluate both versions with the same provider=…"
    )
