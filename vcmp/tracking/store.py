"""Opening the store: its address, the environment MLflow reads, and errors in words."""

import importlib
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from vcmp.errors import TrackingError
from vcmp.tracking import probes, sqlite

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "1",
    # offline, the first look-up in the catalog of models stalls for seconds
    "MLFLOW_MODEL_CATALOG_URI": "",
    # with the default pool of 15, traces of many threads are lost with a mere warning
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "200",
    # by default a server that went away is given four minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # `mlflow server` starts fifteen processes otherwise
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Where experiments that others create keep their files. By default that is `mlruns` in the current
folder, and a folder with both kinds of quotes in its name breaks the SQL that a new file gets."""
LOGGERS = ("mlflow", "alembic", "sqlalchemy", "urllib3", "huey")
FOREIGN = ("mlflow", "sqlalchemy", "alembic", "requests", "urllib3", "sqlite3")
"""Packages whose exceptions tell of the store, not of a mistake in vcmp."""

_QUIET = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where evaluations are recorded."""

    uri: str
    """A tracking URI as MLflow takes it; paths in it are absolute."""
    experiment: str
    artifacts: Path
    """Folder for artifacts, where no server keeps them."""

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for any other store."""
        path = self.uri.removeprefix("sqlite:///").partition("?")[0]
        return None if path == self.uri or path in ("", ":memory:") else Path(path)

    @property
    def served(self) -> bool:
        """Whether a server answers at the URI, which then keeps the artifacts too."""
        return self.uri.startswith(("http://", "https://", "databricks"))

    @property
    def shown(self) -> str:
        """The URI without its secret: a password, or the token that stands for a user."""
        user, at, place = self._login
        name, colon, _ = user.partition(":")
        if not at or not (colon or self.served):
            return self.uri
        masked = f"{name}:***" if colon else "***"
        return f"{self.uri.partition('://')[0]}://{masked}@{place}"

    def hide(self, text: str) -> str:
        """A text of others, who may quote the URI, without its secret."""
        user = self._login[0]
        secret = user.partition(":")[2] or (user if self.served else "")
        text = text.replace(self.uri, self.shown)
        return text.replace(secret, "***").replace(unquote(secret), "***") if secret else text

    @property
    def _login(self) -> tuple[str, str, str]:
        """User and password, an @ where there are any, and the rest of the URI."""
        return ("", "", "") if self.file else self.uri.partition("://")[2].rpartition("@")

    @property
    def where(self) -> str:
        """The store as errors name it."""
        return f"tracking.uri={self.shown!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open store."""

    store: Store
    client: Any
    """An `mlflow.MlflowClient`."""
    experiment_id: str


def locate(uri: str | None, experiment: str, project: Path) -> Store:
    """The store that `uri` names; without one a SQLite file in the project's outputs.

    Raises:
        TrackingError: The experiment has no name.
    """
    if not experiment.strip():
        raise TrackingError(
            f"tracking.experiment={experiment!r}: MLflow needs a name.\n"
            "  Set app=… in conf/config.yaml, or tracking.experiment=…"
        )
    project = project.absolute()
    outputs = project / "outputs"
    if not uri:
        uri = _file_uri(outputs / "mlflow.db")
    elif uri.startswith("sqlite:///") and not uri.startswith(("sqlite:////", "sqlite:///:")):
        path, mark, options = uri.removeprefix("sqlite:///").partition("?")
        uri = f"{_file_uri(project / path)}{mark}{options}"
    return Store(uri=uri, experiment=experiment, artifacts=outputs / "mlartifacts")


def _file_uri(file: Path) -> str:
    """The URI of a SQLite file.

    Raises:
        TrackingError: MLflow and SQLAlchemy would disagree about where the file is.
    """
    if re.search("%[0-9A-Fa-f]{2}|[?]", str(file)):
        raise TrackingError(
            f"tracking.uri=null: {str(file)!r} has a ? or a % with two digits in it, which mean "
            "something else in a URI.\n"
            "  Rename the folder, or keep the record elsewhere (tracking.uri=sqlite:////…)."
        )
    return f"sqlite:///{file}"


def set_defaults() -> None:
    """Tell MLflow, in this process and its children, to be quick; what the user has set stays.

    Worth calling before anything imports MLflow: its judges look things up on the way. What traces
    itself where no store is set writes into the current folder's outputs, not beside the sources.
    """
    outputs = Path.cwd() / "outputs"
    places = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{outputs / 'mlflow-untracked.db'}",
        ARTIFACT_ROOT: (outputs / "mlartifacts").as_uri(),
    }
    for name, value in (ENVIRONMENT | places).items():
        os.environ.setdefault(name, value)


def set_environment(store: Store) -> None:
    """Tell MLflow, in this process and its children, to use the store and to be quick about it.

    An agent that traces itself would otherwise leave an mlflow.db in the current folder.
    """
    set_defaults()
    os.environ["MLFLOW_TRACKING_URI"] = store.uri
    os.environ[ARTIFACT_ROOT] = store.artifacts.as_uri()


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
def quiet() -> Iterator[None]:
    """Keep MLflow and what it stands on from writing to the screen.

    One thread at a time: levels and warnings are the process's, and each puts back what it found.
    """
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("mlflow")  # which sets the levels of its loggers
        levels = {name: logging.getLogger(name).level for name in LOGGERS}
        try:
            for name in LOGGERS:
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


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
