"""What has been recorded: versions in a list or a ranking, evaluations, datasets."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcmp.errors import TrackingError, suggest
from vcmp.metrics import MEASUREMENTS
from vcmp.tracking.record import FILES, model_name
from vcmp.tracking.store import Session, Store, pages

PAGE = 100
NEWEST_FIRST = [{"field_name": "creation_timestamp", "ascending": False}]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVersion:
    """A version as MLflow holds it: a LoggedModel, one of vcmp's or of anybody's."""

    name: str
    model_id: str
    created_s: float
    """Unix time in seconds at which it was first recorded."""
    app: str = ""
    variant: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    """With dotted names; a long one is cut."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the newest complete evaluation."""
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    answered_by: str = ""
    scripted: bool = False
    verdict: str = ""
    """Of the newest comparison in which it was a candidate."""
    run_id: str = ""
    """Of the evaluation that `metrics` are from."""


def versions(session: Session, order_by: str, app: str) -> tuple[RecordedVersion, ...]:
    """All versions, newest first, or best first by a metric."""
    models = pages(
        lambda token: session.client.search_logged_models(
            [session.experiment_id],
            order_by=NEWEST_FIRST,
            max_results=PAGE,
            page_token=token,
        )
    )
    found = [describe(model) for model in models]
    return rank([version for version in found if app in ("", version.app)], order_by)


def rank(found: list[RecordedVersion], order_by: str) -> tuple[RecordedVersion, ...]:
    """Best first by a metric, versions without it last; as they stand when `order_by` is ""."""
    if not order_by or not found:
        return tuple(found)
    metric = _resolve(order_by, {name for version in found for name in version.metrics})
    stem = metric.partition("/")[0]
    sign = 1 if stem in (*MEASUREMENTS, "error_rate") else -1
    having = [version for version in found if metric in version.metrics]
    lacking = [version for version in found if metric not in version.metrics]
    return (*sorted(having, key=lambda version: sign * version.metrics[metric]), *lacking)


def _resolve(order_by: str, known: set[str]) -> str:
    """The metric a short name stands for: a scorer its mean, cost_usd its total."""
    for metric in (order_by, f"{order_by}/mean", f"{order_by}/total"):
        if metric in known:
            return metric
    names = sorted({metric.partition("/")[0] for metric in known})
    raise TrackingError(
        f"no recorded version has the metric {order_by!r}.{suggest(order_by, names)}\n"
        f"  Recorded: {', '.join(names) or 'none'}."
    )


def describe(model: Any) -> RecordedVersion:
    """A LoggedModel as a version."""
    tags = model.tags or {}
    metrics = model.metrics or []
    newest = max(metrics, key=lambda metric: metric.timestamp, default=None)
    run_id = newest.run_id if newest else ""
    return RecordedVersion(
        name=tags.get("vcmp.version", model.name),
        model_id=model.model_id,
        created_s=model.creation_timestamp / 1000,
        app=tags.get("vcmp.app", ""),
        variant=tags.get("vcmp.variant", ""),
        params=dict(model.params or {}),
        metrics={metric.key: metric.value for metric in metrics if metric.run_id == run_id},
        commit=tags.get("mlflow.source.git.commit", ""),
        branch=tags.get("mlflow.source.git.branch", ""),
        dirty=tags.get("mlflow.source.git.dirty", "").lower() == "true",
        answered_by=tags.get("vcmp.answered_by", ""),
        scripted=tags.get("vcmp.scripted") == "true",
        verdict=tags.get("vcmp.verdict", ""),
        run_id=run_id,
    )


def find_version(session: Session, version: str) -> RecordedVersion:
    """The newest version of that name, or the one with that model id.

    Raises:
        TrackingError: There is none.
    """
    column = "model_id" if is_model_id(version) else "name"
    models = session.client.search_logged_models(
        [session.experiment_id],
        filter_string=f"{column} = '{model_name(version)}'",
        order_by=NEWEST_FIRST,
        max_results=1,
    )
    if models:
        return describe(models[0])
    known = dict.fromkeys(recorded.name for recorded in versions(session, "", ""))
    raise unknown(version, list(known))


def is_model_id(version: str) -> bool:
    """Whether MLflow made this up as the id of a LoggedModel."""
    return re.fullmatch("m-[0-9a-f]{32}", version) is not None


def unknown(version: str, known: list[str]) -> TrackingError:
    """The error for a version that is not recorded."""
    newest = f"\n  Recorded last: {', '.join(known[:3])}." if known else "\n  No version is."
    return TrackingError(f"version {version!r} is not recorded.{suggest(version, known)}{newest}")


def find(session: Session, tags: Mapping[str, str], version: str) -> Path | None:
    """Download the newest complete evaluation with these tags; "" is any value."""
    wanted = {key: value for key, value in tags.items() if value}
    if version:
        wanted["vcmp.model_id" if is_model_id(version) else "vcmp.version"] = version
    conditions = ["attributes.status = 'FINISHED'"]
    conditions += [f"tags.`{key}` = {_quoted(value)}" for key, value in wanted.items()]
    runs = pages(
        lambda token: session.client.search_runs(
            [session.experiment_id],
            " AND ".join(conditions),
            order_by=["attributes.start_time DESC"],
            max_results=PAGE,
            page_token=token,
        )
    )
    for run in runs:
        files = {file.path for file in session.client.list_artifacts(run.info.run_id)}
        if files.issuperset(FILES):
            return _download(session, run.info.run_id)
    return None


def _download(session: Session, run_id: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="vcmp-"))
    for file in FILES:
        session.client.download_artifacts(run_id, file, str(folder))
    return folder


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def dataset(session: Session, name: str) -> list[dict[str, Any]]:
    """The records of an MLflow evaluation dataset as rows; MLflow's own tags are left out."""
    found = session.client.search_datasets(
        filter_string=f"name = {_quoted(name)}", order_by=["created_time DESC"], max_results=1
    )
    if not found:
        found = [_dataset_by_id(session, name)]
    return [
        {
            "inputs": dict(row.inputs),
            "expectations": dict(row.expectations or {}),
            "tags": {k: v for k, v in (row.tags or {}).items() if not k.startswith("mlflow.")},
        }
        for row in _records(session, found[0].dataset_id)
    ]


def _records(session: Session, dataset_id: str) -> list[Any]:
    # `EvaluationDataset.records` asks the store of the process, which an agent may have changed
    records, _ = session.client._tracking_client.store._load_dataset_records(dataset_id)
    return list(records)


def _dataset_by_id(session: Session, dataset_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return session.client.get_dataset(dataset_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise TrackingError(no_dataset(session.store, dataset_id)) from error


def no_dataset(store: Store, name: str) -> str:
    """The message for a dataset that is not in the store."""
    return (
        f"dataset.path=mlflow:{name}: no evaluation dataset of this name or id in {store.shown}.\n"
        "  Create it with mlflow.genai.datasets.create_dataset, or set tracking.uri=…"
    )
