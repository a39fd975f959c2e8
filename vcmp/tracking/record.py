"""An evaluation in MLflow: one run of its version, with metrics, files and traces."""

import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcmp.digests import digest_of
from vcmp.metrics import summarize
from vcmp.tracking.models import create_model, find_model, identity, version_tags
from vcmp.tracking.sessions import Session, locked, probe
from vcmp.tracking.spans import clean, dump
from vcmp.tracking.traces import Link, write_traces
from vcmp.types import Dataset, Evaluation, ScorerCard

FILES = ("evaluation.json", "results.jsonl")
DIGEST_LENGTH = 36
"""Characters of a dataset's digest that MLflow keeps."""
MARK_LENGTH = 12
EVALUATION = "vcmp.evaluation"
"""Tag of a run: the digest of the evaluation that it holds."""
COMPLETE = ("FINISHED", "KILLED")
"""Status of runs in which everything is there."""
BEST_OF = "vcmp.best_of"
"""Tag of an evaluation that won a selection: among how many candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where in MLflow an evaluation was recorded."""

    model_id: str
    """Of the LoggedModel, which stands for the version."""
    run_id: str
    experiment_id: str
    already: bool = False
    """Whether all of it was there before, so that nothing was written."""


def record(
    session: Session,
    evaluation: Evaluation,
    folder: Path,
    reports: Iterable[Path],
    tags: Mapping[str, str],
) -> Recorded:
    """Record an evaluation as one run of its version, which is finished once all is there.

    An evaluation that was recorded stays as it is, and a run that the store or a signal broke off
    is completed: whatever happened in between, there is one run and one trace a result.

    The metrics of an interrupted evaluation are on its run alone: it covers other cases than a
    complete one, and would be ranked among them.
    """
    run = find_run(session, evaluation)
    if run is not None and run.info.status in COMPLETE:
        return _recorded(run, already=True)
    with locked(session.store):
        model_id = find_model(session, evaluation) or create_model(session, evaluation)
    recorded = _recorded(run or _create_run(session, evaluation, model_id))
    try:
        _fill(session, evaluation, recorded, folder)
        _attach(session, recorded, reports, tags)
    except BaseException:
        with suppress(Exception):  # the store may be what failed
            probe(session.store)
            session.client.set_terminated(recorded.run_id, "FAILED")
        raise
    status = "FINISHED" if evaluation.complete else "KILLED"
    session.client.set_terminated(recorded.run_id, status, _times_ms(evaluation)[1])
    return recorded


def find_run(session: Session, evaluation: Evaluation) -> Any:
    """The run of this very evaluation; None when there is none."""
    found = session.client.search_runs(
        [session.experiment_id],
        f"tags.`{EVALUATION}` = '{digest_evaluation(evaluation)}'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
    )
    return found[0] if found else None


def digest_evaluation(evaluation: Evaluation) -> str:
    """What an evaluation is known by: two that agree in this have the same rows, to the clock."""
    rows = [
        [row.case_id, row.repeat, row.started_s, row.latency_s, row.output, row.error]
        + [[name, score.value] for name, score in sorted(row.scores.items())]
        for row in evaluation.results
    ]
    return digest_of(
        [identity(evaluation), evaluation.dataset.digest, marks(evaluation.scorers), rows]
    )


def _recorded(run: Any, already: bool = False) -> Recorded:
    return Recorded(
        model_id=run.data.tags["vcmp.model_id"],
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        already=already,
    )


def _create_run(session: Session, evaluation: Evaluation, model_id: str) -> Any:
    return session.client.create_run(
        session.experiment_id,
        start_time=_times_ms(evaluation)[0],
        tags=_run_tags(evaluation, model_id),
        run_name=clean(evaluation.version.name),
    )


def _attach(
    session: Session, recorded: Recorded, reports: Iterable[Path], tags: Mapping[str, str]
) -> None:
    """Add files and tags to a run; the tags to its version too, unless a newer run of it has said
    what they say."""
    for file in reports:
        session.client.log_artifact(recorded.run_id, str(file))
    for key, value in tags.items():
        session.client.set_tag(recorded.run_id, key, clean(value))
    if tags and _is_newest(session, recorded):
        session.client.set_logged_model_tags(recorded.model_id, clean(tags))


def _is_newest(session: Session, recorded: Recorded) -> bool:
    (newest,) = session.client.search_runs(
        [session.experiment_id],
        f"tags.`vcmp.model_id` = '{recorded.model_id}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return bool(newest.info.run_id == recorded.run_id)


def metric_name(metric: str) -> str:
    """The name of a metric in MLflow, which takes letters, digits and a few signs."""
    return re.sub(r"[^\w./: -]", "_", metric)


def _fill(session: Session, evaluation: Evaluation, recorded: Recorded, folder: Path) -> None:
    client, run_id = session.client, recorded.run_id
    _log_inputs(client, evaluation, recorded)
    _log_metrics(client, evaluation, recorded)
    client.log_dict(run_id, clean(evaluation.version.variant.params), "params.json")
    for file in FILES:
        if (folder / file).exists():
            client.log_artifact(run_id, str(folder / file))
    link = Link(
        experiment_id=recorded.experiment_id, model_id=recorded.model_id, run_id=recorded.run_id
    )
    write_traces(session, evaluation, link)


def _run_tags(evaluation: Evaluation, model_id: str) -> dict[str, str]:
    return version_tags(evaluation) | {
        "mlflow.runType": "genai_evaluate",  # lists it among the evaluations of the UI
        EVALUATION: digest_evaluation(evaluation),
        "vcmp.model_id": model_id,
        "vcmp.dataset": clean(evaluation.dataset.name),
        "vcmp.dataset_digest": evaluation.dataset.digest,
        "vcmp.cases": str(len(evaluation.cases)),
        "vcmp.results": str(len(evaluation.results)),
        "vcmp.scorers": dump(marks(evaluation.scorers)),
    }


def _asked(evaluation: Evaluation) -> Dataset:
    """The cases that were asked: up to a planned look they are another dataset than all of them,
    and what was measured on it is not ranked among what was measured on the whole."""
    return Dataset(name=evaluation.dataset.name, cases=evaluation.cases)


def marks(scorers: Mapping[str, ScorerCard]) -> dict[str, str]:
    """A short digest for each scorer and the model it asks; equal where scores are comparable."""
    return {
        clean(name): digest_of([card.digest, card.model])[:MARK_LENGTH]
        for name, card in scorers.items()
    }


def _times_ms(evaluation: Evaluation) -> tuple[int, int]:
    """When the evaluation began and ended; now, when it has no result."""
    if not evaluation.results:
        now = round(time.time() * 1000)
        return now, now
    began = min(result.started_s for result in evaluation.results)
    ended = max(result.started_s + result.latency_s for result in evaluation.results)
    return round(began * 1000), round(ended * 1000)


def _log_inputs(client: Any, evaluation: Evaluation, recorded: Recorded) -> None:
    from mlflow import entities

    asked = _asked(evaluation)
    dataset = entities.Dataset(
        name=clean(asked.name),
        digest=asked.digest[:DIGEST_LENGTH],
        source_type="code",
        source=dump({"tags": {}}),
        profile=dump({"num_rows": len(asked.cases)}),
    )
    tag = entities.InputTag(key="mlflow.data.context", value="evaluation")
    client.log_inputs(
        recorded.run_id,
        datasets=[entities.DatasetInput(dataset, [tag])],
        models=[entities.LoggedModelInput(recorded.model_id)],
    )


def _log_metrics(client: Any, evaluation: Evaluation, recorded: Recorded) -> None:
    from mlflow.entities import Metric

    asked = _asked(evaluation)
    owner = {
        "model_id": recorded.model_id,
        "dataset_name": clean(asked.name),
        "dataset_digest": asked.digest[:DIGEST_LENGTH],
    }
    _, ended = _times_ms(evaluation)
    metrics = [
        Metric(metric_name(key), value, ended, 0, **(owner if evaluation.complete else {}))
        for key, value in summarize(evaluation).items()
    ]
    client.log_batch(recorded.run_id, metrics=metrics)
