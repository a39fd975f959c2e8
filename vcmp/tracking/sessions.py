"""Opening a store, and its errors in words."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from vcmp.errors import TrackingError
from vcmp.tracking import probes, sqlite
from vcmp.tracking.environment import quiet, set_environment
from vcmp.tracking.store import Store

FOREIGN = ("mlflow", "sqlalchemy", "alembic", "requests", "urllib3", "sqlite3")
"""Packages whose exceptions tell of the store, not of a mistake in vcmp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open store."""

    store: Store
    client: Any
    """An `mlflow.MlflowClient`."""
    experiment_id: str


@contextmanager
def opened(store: Store) -> Iterator[Session]:
    """Open the store, creating database and experiment on first use.

    Raises:
        TrackingError: The store does not answer, cannot be read, or fails inside the block.
    """
    set_environment(store)
    probe(store)
    with quiet(), explained(store):
        with locked(store):
            if store.file:
                sqlite.check_schema(store.file, store.where)
            from mlflow import MlflowClient

            client = MlflowClient(tracking_uri=store.uri)
            experiment_id = _find_experiment(client, store)
        yield Session(store=store, client=client, experiment_id=experiment_id)


def probe(store: Store) -> None:
    """Ask a server whether it is there, in a few seconds and without importing MLflow.

    Raises:
        TrackingError: No answer.
    """
    failure = probes.ask(store.uri)
    if failure is not None:
        raise TrackingError(
            f"{store.where}: no server answers ({store.hide(_reason(failure))}).\n"
            "  Start it, or name another (tracking.uri=…). Without it a sweep runs with\n"
            "  tracking.required=false, to be recorded later, or with tracking=none."
        ) from failure


def _reason(error: BaseException) -> str:
    """The first line of an error, short enough for a message."""
    error = getattr(error, "reason", error)
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return text.strip().splitlines()[0][:300].rstrip(".")


@contextmanager
def explained(store: Store) -> Iterator[None]:
    """Turn errors of MLflow, its database and its server into a `TrackingError`."""
    try:
        yield
    except Exception as error:
        foreign = type(error).__module__.partition(".")[0] in FOREIGN
        if not foreign and not isinstance(error, OSError):
            raise
        if sqlite.LOCKED in str(error):
            raise sqlite.busy(store.where, sqlite.PATIENCE_S) from error
        raise TrackingError(
            f"{store.where}: {store.hide(_reason(error))}.\n"
            "  Mend it, name another store (tracking.uri=…), or record nothing (tracking=none)."
        ) from error


def locked(store: Store) -> AbstractContextManager[None]:
    """Hold the lock beside a SQLite file; other stores look after themselves.

    Raises:
        TrackingError: Another process does not let go of it.
    """
    return nullcontext() if store.file is None else sqlite.locked(store.file, store.where)


def _find_experiment(client: Any, store: Store) -> str:
    """The id of the store's experiment, which is created when it is missing."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(store.experiment)
    if found is None:
        location = None if store.served else store.artifacts.as_uri()
        # makes the UI open on versions and traces, not on training runs
        tags = {"mlflow.experimentKind": "genai_development"}
        try:
            return str(client.create_experiment(store.experiment, location, tags))
        except MlflowException:
            found = client.get_experiment_by_name(store.experiment)  # another process was faster
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"tracking.experiment={store.experiment!r}: deleted in MLflow.\n"
            f"  Restore it (mlflow experiments restore -x {found.experiment_id}), "
            "or name another (tracking.experiment=…)."
        )
    return str(found.experiment_id)


def pages(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """All results of a search that answers in pages."""
    token = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return
