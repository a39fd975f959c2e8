"""One store for all tests of the package: MLflow takes seconds to import and to create one.

In it are, of the app `app` and in this order: `basic` (a failed agent, an unscored score, a judge),
`empathetic` twice, a day apart, of which the first passed and the second was the best of five, and
`basic` again, answered by the scripted demo.
"""

import importlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import OPENAI, SCRIPTED, evaluation
from vcmp.calls import Call
from vcmp.tracking import MlflowTracker, Recorded
from vcmp.types import Answerer, Case, Evaluation, Score

DAY_S = 86_400.0
CASES = tuple(
    Case(id=id, inputs={"question": f"{id}?"}, expectations={"facts": [id]})
    for id in ("easy", "hard", "late", "lost", "odd")
)
CALL = Call(
    api="chat.completions",
    requested_model="gpt-4o-mini",
    model="gpt-4o-mini-2024-07-18",
    request={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "late?"}]},
    response={"choices": [{"message": {"role": "assistant", "content": "tomorrow"}}]},
    finish="stop",
    input_tokens=40,
    output_tokens=20,
)


def support(
    variant: str,
    polite: float,
    *,
    answerer: Answerer = OPENAI,
    begun_s: float = 1_700_000_000.0,
    prompt: str = "Be brief.",
) -> Evaluation:
    """Five cases, twice: `hard` fails once, `odd` is unscored once, the rest are as polite as
    told; latencies are 0.1 to 1.0 s."""
    scores = {case.id: [polite, polite] for case in CASES}
    made = evaluation(
        {**scores, "hard": ["ValueError: boom", polite], "odd": [polite, None]},
        more={"relevance": {case.id: [1.0, 0.5] for case in CASES}},
        variant=variant,
        params={"prompt": prompt, "temperature": 0.3, "tools": {"search": True}},
        cases=CASES,
        judges=["relevance"],
        answerer=answerer,
        rationales={case.id: "kind words" for case in CASES},
    )
    results = (
        replace(
            result,
            started_s=begun_s + number,
            latency_s=(number + 1) / 10,
            calls=(replace(CALL, started_s=begun_s + number, latency_s=0.05),),
        )
        for number, result in enumerate(made.results)
    )
    return replace(made, results=tuple(results))


def mended(evaluation: Evaluation, polite: float) -> Evaluation:
    """The same without a failure, everything scored `polite`."""
    results = (
        replace(
            result,
            output="mended",
            error="",
            scores={**result.scores, "polite": Score(value=polite)},
        )
        for result in evaluation.results
    )
    return replace(evaluation, results=tuple(results))


@dataclass(frozen=True)
class Recording:
    """The shared store, and what was recorded in it."""

    tracker: MlflowTracker
    project: Path
    basic: Recorded
    empathetic: tuple[Recorded, Recorded]
    scripted: Recorded

    @property
    def experiment_id(self) -> str:
        return self.basic.experiment_id


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """MLflow is told by environment variables what to do; other tests must not hear of it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    project = tmp_path_factory.mktemp("project")
    files = project / "outputs" / "sweep" / "0"
    files.mkdir(parents=True)
    (files / "results.jsonl").write_text('{"case_id": "easy"}\n')

    def record(made: Evaluation, note: str, **tags: str) -> Recorded:
        (files / "evaluation.json").write_text(f'{{"note": "{note}"}}')
        named = {f"vcmp.{key}": value for key, value in tags.items()}
        return tracker.record(made, files, tags=named)

    tracker = MlflowTracker(experiment="support agent", project=project)
    tracker.prepare()
    first = support("empathetic", 0.7)
    second = mended(support("empathetic", 0.7, begun_s=1_700_000_000.0 + DAY_S), 0.9)
    return Recording(
        tracker=tracker,
        project=project,
        basic=record(support("basic", 0.5, prompt="Be brief. " * 1000), "basic"),
        empathetic=(
            record(first, "empathetic 1", verdict="pass"),
            record(second, "empathetic 2", best_of="5"),
        ),
        scripted=record(support("basic", 0.6, answerer=SCRIPTED), "scripted"),
    )


@pytest.fixture
def mlflow(recording: Recording) -> Iterator[Any]:
    """MLflow as a user of the store has it; imported after the store has told it to be quiet."""
    import mlflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # the first span imports it, and MLflow drops the span over the warning that comes of it
        importlib.import_module("mlflow.pyfunc")
    mlflow.set_tracking_uri(recording.tracker.store.uri)
    yield mlflow
    mlflow.set_tracking_uri(None)


@pytest.fixture
def other(recording: Recording) -> MlflowTracker:
    """A tracker of another experiment of the store, to leave the shared one as it is."""
    return replace(recording.tracker, experiment="other")
