"""What MLflow is told before it is imported, and how it is kept quiet."""

import importlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vcmp.tracking.store import Store

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "1",
    # offline, the first look-up in the catalog of models stalls for seconds
    "MLFLOW_MODEL_CATALOG_URI": "",
    # with the default pool of 15, traces of many threads are lost with a mere warning
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "200",
    # by default a server that went away is given four minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # `mlflow server` starts fifteen processes otherwise
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Where experiments that others create keep their files. By default that is `mlruns` in the current
folder, and a folder with both kinds of quotes in its name breaks the SQL that a new file gets."""
LOGGERS = ("mlflow", "alembic", "sqlalchemy", "urllib3", "huey")

_QUIET = threading.RLock()


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
