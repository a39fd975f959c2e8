"""An evaluation in MLflow: one LoggedModel for its version, one run with metrics and files."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcmp.digests import digest_of
from vcmp.metrics import summarize
from vcmp.tracking.spans import clean, dump
from vcmp.tracking.store import Session, locked
from vcmp.tracking.traces import Link, write_traces
from vcmp.types import Dataset, Evaluation, Revision, ScorerCard

FILES = ("evaluation.json", "results.jsonl")
PARAM_LENGTH = 6000
"""Characters of a parameter's value that every kind of MLflow store keeps."""
DIGEST_LENGTH = 36
"""Characters of a dataset's digest that MLflow keeps."""
MARK_LENGTH = 12
BEST_OF = "vcmp.best_of"
"""Tag of an evaluation that won a selection: among how many candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where in MLflow an evaluation was recorded."""

    model_id: str
    """Of the LoggedModel, which stands for the version."""
    run_id: str
    experiment_id: str


def record(session: Session, evaluation: Evaluation, folder: Path) -> Recorded:
    """Record an evaluation as a new run of its version.

    The metrics of an interrupted evaluation are on its run alone: it covers other cases than a
    complete one, and would be ranked among them.
    """
    with locked(session.store):
        model_id = _find_model(session, evaluation) or _create_model(session, evaluation)
    began, ended = _times_ms(evaluation)
    run = session.client.create_run(
        session.experiment_id,
        start_time=began,
        tags=_run_tags(evaluation, model_id),
        run_name=clean(evaluation.version.name),
    )
    recorded = Recorded(
        model_id=model_id, run_id=run.info.run_id, experiment_id=session.experiment_id
    )
    try:
        _fill(session, evaluation, recorded, folder)
    except BaseException:
        with suppress(Exception):  # the store may be what failed
            session.client.set_terminated(recorded.run_id, "FAILED")
        raise
    status = "FINISHED" if evaluation.complete else "KILLED"
    session.client.set_terminated(recorded.run_id, status, ended)
    return recorded


def attach(
    session: Session, recorded: Recorded, files: Iterable[Path], tags: Mapping[str, str]
) -> None:
    """Add files and tags to a recorded run, and the tags to its version too."""
    for file in files:
        session.client.log_artifact(recorded.run_id, str(file))
    for key, value in tags.items():
        session.client.set_tag(recorded.run_id, key, clean(value))
    if tags:
        session.client.set_logged_model_tags(recorded.model_id, clean(tags))


def model_name(version: str) -> str:
    """The name of a version's LoggedModel: MLflow refuses some characters."""
    return re.sub(r"""[/:.%"']""", "_", clean(version))


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


def _identity(evaluation: Evaluation) -> str:
    """Digest of what makes two evaluations ones of the same version.

    Who answered is part of it: numbers of a scripted demo and of a language model must not meet
    under one LoggedModel.
    """
    version, answerer = evaluation.version, evaluation.answerer
    revision = version.revision
    where = [revision.commit, revision.dirty] if revision else []
    return digest_of(
        [version.name, version.variant.params, where, answerer.name, answerer.scripted]
    )


def _find_model(session: Session, evaluation: Evaluation) -> str | None:
    wanted = _identity(evaluation)
    models = session.client.search_logged_models(
        [session.experiment_id], filter_string=f"name = '{model_name(evaluation.version.name)}'"
    )
    same = (m.model_id for m in models if m.tags.get("vcmp.digest") == wanted)
    return next(same, None)


def _create_model(session: Session, evaluation: Evaluation) -> str:
    params = dict(flatten(clean(evaluation.version.variant.params)))
    model = session.client.create_logged_model(
        session.experiment_id,
        name=model_name(evaluation.version.name),
        tags=_version_tags(evaluation),
        params={key: _cut(value) for key, value in params.items()},
        model_type="agent",
    )
    session.client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Parameters with dotted names, their values as text."""
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else dump(value)


def _cut(text: str) -> str:
    """What MLflow keeps of a long parameter; its full text is in the run's params.json."""
    return text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"


def _version_tags(evaluation: Evaluation) -> dict[str, str]:
    version, answerer = evaluation.version, evaluation.answerer
    tags = {
        "vcmp.app": version.app,
        "vcmp.variant": version.variant.name,
        "vcmp.version": version.name,
        "vcmp.digest": _identity(evaluation),
        "vcmp.answered_by": answerer.name,
        "vcmp.scripted": "true" if answerer.scripted else "false",
    }
    return dict(clean(tags | _git_tags(version.revision)))


def _git_tags(revision: Revision | None) -> dict[str, str]:
    """The tags MLflow itself gives to what was made in a git repository."""
    if revision is None:
        return {}
    tags = {
        "mlflow.source.git.commit": revision.commit,
        "mlflow.source.git.branch": revision.branch,
        "mlflow.source.git.dirty": "true" if revision.dirty else "false",
        "mlflow.source.git.repoURL": revision.remote_url,
        "vcmp.dirty": revision.dirty,
    }
    return {key: value for key, value in tags.items() if value}


def _run_tags(evaluation: Evaluation, model_id: str) -> dict[str, str]:
    return _version_tags(evaluation) | {
        "mlflow.runType": "genai_evaluate",  # lists it among the evaluations of the UI
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
