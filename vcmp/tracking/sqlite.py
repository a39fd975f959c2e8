"""A store in one SQLite file: the lock beside it, its schema, and others who hold it."""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from vcmp.errors import TrackingError

PATIENCE_S = 20.0
"""Seconds to wait for another process that writes to the file: as long as MLflow does."""
QUEUE_S = 120.0
"""Seconds to wait for other vcmp processes, of which the first has the tables to create."""
POLL_S = 0.05
LOCKED = "database is locked"
"""What SQLite says when another process did not let go in time."""


def busy(where: str, seconds: float) -> TrackingError:
    """The error for a file that others do not let go of."""
    return TrackingError(
        f"{where}: another process has kept the file locked for {seconds:g} s.\n"
        "  End that process, or name another store (tracking.uri=…)."
    )


@contextmanager
def locked(file: Path, where: str) -> Iterator[None]:
    """Hold the lock beside a SQLite file.

    Processes that create the tables of one fresh file at the same time crash each other, and two
    that look for a model before they create it end up with two.

    Raises:
        TrackingError: Another process holds it for longer than `QUEUE_S`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("a") as lock:
        end = time.monotonic() + QUEUE_S
        while not _taken(lock.fileno()):
            if time.monotonic() > end:
                raise busy(where, QUEUE_S)
            time.sleep(POLL_S)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def check_schema(file: Path, where: str) -> None:
    """Refuse a SQLite file whose tables the installed MLflow does not know.

    Raises:
        TrackingError: A newer MLflow has written the file, another process does not let go of it,
            or it is no database.
    """
    revision = _schema_revision(file, where)
    spec = find_spec("mlflow")
    if not revision or spec is None or spec.origin is None:
        return
    migrations = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    if migrations.is_dir() and not any(migrations.glob(f"{revision}_*.py")):
        raise TrackingError(
            f"{where}: written by a newer MLflow than the installed {version('mlflow')}, "
            f"which does not know its schema {revision!r}.\n"
            "  Upgrade MLflow, or name another file (tracking.uri=sqlite:///…)."
        )


def _schema_revision(file: Path, where: str) -> str:
    """The revision of the file's tables; "" when there are none."""
    if not file.exists():
        return ""
    with closing(sqlite3.connect(file, timeout=PATIENCE_S)) as database:
        try:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if LOCKED in str(error):
                raise busy(where, PATIENCE_S) from error
            return ""  # there is no such table
    return str(row[0]) if row else ""
