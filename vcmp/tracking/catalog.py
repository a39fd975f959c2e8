"""What has been recorded: versions in a list or a ranking, and datasets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vcmp.errors import TrackingError, suggest
from vcmp.metrics import MEASUREMENTS
from vcmp.tracking.evaluations import is_model_id, quoted, sizes
from vcmp.tracking.models import model_name
from vcmp.tracking.sessions import Session, pages
from vcmp.tracking.store import Store

PAGE = 100
NONE = (0, 0)
"""Cases and results of a run that says nothing of them."""
SHOWN_DIGITS = 8
ANCHOR = "vcmp.anchor"
"""Tag of the version that is pinned as its app's anchor."""
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
    """Of the newest complete evaluation; in a list, of the newest on the list's dataset."""
    dataset: str = ""
    """Name of the dataset that `metrics` were measured on; "" when MLflow was not told."""
    dataset_digest: str = ""
    """The first digits of its digest: two datasets may share a name."""
    n_cases: int = 0
    """Cases in the dataset; 0 is unknown."""
    n_results: int = 0
    """Results behind `metrics`; 0 is unknown."""
    comparable: bool = True
    """False in a list when it was measured only on another dataset than the list's."""
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    answered_by: str = ""
    scripted: bool = False
    verdict: str = ""
    """Of the newest comparison in which it was a candidate."""
    anchor: bool = False
    """Whether it is pinned as its app's anchor."""
    run_id: str = ""
    """Of the evaluation that `metrics` are from."""


def versions(session: Session, order_by: str, app: str) -> tuple[RecordedVersion, ...]:
    """All versions, newest first, or best first by a metric on one dataset.

    The dataset is the one with the most cases, the newest of equals: a quick look at a few cases
    does not turn the ranking round. A version that was measured only on others keeps its newest
    metrics, and says that they are not comparable.
    """
    models = pages(
        lambda token: session.client.search_logged_models(
            [session.experiment_id],
            order_by=NEWEST_FIRST,
            max_results=PAGE,
            page_token=token,
        )
    )
    wanted = [model for model in models if app in ("", (model.tags or {}).get("vcmp.app", ""))]
    counts = sizes(session)
    metrics = [metric for model in wanted for metric in model.metrics or []]
    largest = max(metrics, key=lambda m: (counts.get(m.run_id, NONE)[0], m.timestamp), default=None)
    digest = (largest.dataset_digest or "") if largest else ""
    found = []
    for model in wanted:
        version = describe(model, digest)
        n_cases, n_results = counts.get(version.run_id, NONE)
        found.append(replace(version, n_cases=n_cases, n_results=n_results))
    return rank(found, order_by)


def rank(found: list[RecordedVersion], order_by: str) -> tuple[RecordedVersion, ...]:
    """Best first by a metric, as they stand when `order_by` is "".

    Last come versions that are not comparable, before them comparable ones without the metric.
    """
    if not order_by or not found:
        return tuple(found)
    metric = _resolve(order_by, {name for version in found for name in version.metrics})
    stem = metric.partition("/")[0]
    sign = 1 if stem in (*MEASUREMENTS, "error_rate") else -1

    def place(version: RecordedVersion) -> tuple[bool, bool, float]:
        value = version.metrics.get(metric)
        return not version.comparable, value is None, 0.0 if value is None else sign * value

    return tuple(sorted(found, key=place))


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


def describe(model: Any, digest: str = "") -> RecordedVersion:
    """A LoggedModel as a version, if possible with its metrics on the dataset of that digest."""
    tags = model.tags or {}
    metrics = model.metrics or []
    same = [metric for metric in metrics if digest in ("", metric.dataset_digest)]
    newest = _newest(same or metrics)
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
        anchor=tags.get(ANCHOR) == "true",
        run_id=run_id,
        dataset=(newest.dataset_name or "") if newest else "",
        dataset_digest=((newest.dataset_digest or "") if newest else "")[:SHOWN_DIGITS],
        comparable=bool(same or not metrics),
    )


def _newest(metrics: Sequence[Any]) -> Any:
    """The metric that was measured last; None without any."""
    return max(metrics, key=lambda metric: metric.timestamp, default=None)


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


def unknown(version: str, known: list[str]) -> TrackingError:
    """The error for a version that is not recorded."""
    newest = f"\n  Recorded last: {', '.join(known[:3])}." if known else "\n  No version is."
    return TrackingError(f"version {version!r} is not recorded.{suggest(version, known)}{newest}")


def dataset(session: Session, name: str) -> list[dict[str, Any]]:
    """The records of an MLflow evaluation dataset as rows; MLflow's own tags are left out."""
    found = session.client.search_datasets(
        filter_string=f"name = {quoted(name)}", order_by=["created_time DESC"], max_results=1
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
