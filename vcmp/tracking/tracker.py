"""The face of the tracking store."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from vcmp.errors import TrackingError
from vcmp.tracking import analysis, catalog, environment, evaluations, pins, record, sessions, store
from vcmp.tracking.analysis import TraceSummary
from vcmp.tracking.catalog import RecordedVersion
from vcmp.tracking.evaluations import Found, Sought
from vcmp.tracking.record import Recorded
from vcmp.tracking.sessions import Session
from vcmp.tracking.store import Store
from vcmp.types import Evaluation

T = TypeVar("T")


@dataclass(frozen=True)
class MlflowTracker:
    """Versions and evaluations in an MLflow store.

    Every method opens the store, and raises `TrackingError` when that fails.
    """

    uri: str | None = None
    """MLflow's tracking URI; None is the file `outputs/mlflow.db` of the project."""
    experiment: str = "vcmp"
    """The MLflow experiment that holds everything; created when missing."""
    project: Path = field(default_factory=Path.cwd)
    """Relative paths are taken from here."""
    required: bool = True
    """Whether a sweep begins only when the store can be used. Without it the sweep is left to be
    recorded later."""

    @property
    def store(self) -> Store:
        """Where the URI leads."""
        return store.locate(self.uri, self.experiment, Path(self.project))

    def set_environment(self) -> None:
        """Set the variables MLflow reads, without importing it.

        Worth calling before an agent's module is imported: one that traces itself then does not
        look for a store of its own.
        """
        environment.set_environment(self.store)

    def prepare(self) -> None:
        """Create database and experiment if need be; cheap when they are there.

        Raises:
            TrackingError: The store cannot be used; known within 5 seconds.
        """
        with self._opened():
            pass

    def record(
        self,
        evaluation: Evaluation,
        folder: Path,
        reports: Iterable[Path] = (),
        tags: Mapping[str, str] | None = None,
    ) -> Recorded:
        """Record an evaluation as a run of its version, once: an evaluation that was recorded
        stays as it is, and one that was broken off is completed.

        Args:
            evaluation: As its files have it.
            folder: Of its files.
            reports: Further files for the run.
            tags: Such as `vcmp.verdict`, for the run and the version.

        Raises:
            TrackingError: The store failed; the run that was begun is not finished.
        """
        with self._opened() as session:
            return record.record(session, evaluation, folder, reports, tags or {})

    def has(self, evaluation: Evaluation) -> bool:
        """Whether everything of this very evaluation is recorded."""
        if self._empty:
            return False
        with self._opened() as session:
            run = record.find_run(session, evaluation)
            return run is not None and run.info.status in record.COMPLETE

    def find(self, sought: Sought, read: Callable[[Found], T | None]) -> T | None:
        """Read the newest complete evaluation that matches.

        Args:
            sought: What it has to be like.
            read: Given where the evaluation's files are; None asks for the next evaluation.

        Returns:
            What `read` made of it; None when nothing matches.
        """
        if self._empty:
            return None
        with self._opened() as session:
            return next(evaluations.find(session, sought, read), None)

    def find_all(self, sought: Sought, read: Callable[[Found], T | None]) -> tuple[T, ...]:
        """Read every complete evaluation that matches, newest first.

        Args:
            sought: What they have to be like.
            read: Given where an evaluation's files are; None leaves it out.
        """
        if self._empty:
            return ()
        with self._opened() as session:
            return tuple(evaluations.find(session, sought, read))

    def pin(self, version: str) -> RecordedVersion:
        """Make a version, by its name or model id, the one anchor of its app.

        Raises:
            TrackingError: No such version is recorded, or it is not one of vcmp's.
        """
        if self._empty:
            raise catalog.unknown(version, [])
        with self._opened() as session:
            return pins.pin(session, version)

    def unpin(self, app: str) -> RecordedVersion | None:
        """Take the pin off the app's anchor, which is returned; None when there was none."""
        if self._empty:
            return None
        with self._opened() as session:
            return pins.unpin(session, app)

    def anchor(self, app: str) -> RecordedVersion | None:
        """The version that is pinned as the app's anchor."""
        if self._empty:
            return None
        with self._opened() as session:
            return pins.anchor(session, app)

    def versions(self, order_by: str = "", app: str = "") -> tuple[RecordedVersion, ...]:
        """All recorded versions, measured on one dataset: the one with the most cases.

        Metrics are those of a version's newest complete evaluation on it. What was measured on
        other datasets alone is not comparable, and last in a ranking.

        Args:
            order_by: A metric, best first, those without it last: `support_guidelines` is
                `support_guidelines/mean`. Of measurements and error_rate the lowest is best.
                "" is newest first.
            app: Only versions of this app; "" is all.

        Raises:
            TrackingError: No recorded version has the metric.
        """
        if self._empty:
            return ()
        with self._opened() as session:
            return catalog.versions(session, order_by, app)

    def show(self, version: str) -> TraceSummary:
        """Sum up the traces of a version, by its name or the id of its LoggedModel.

        Those of its newest complete evaluation; all there are, when vcmp evaluated none.

        Raises:
            TrackingError: No such version is recorded.
        """
        if self._empty:
            raise catalog.unknown(version, [])
        with self._opened() as session:
            return analysis.show(session, version)

    def dataset(self, name: str) -> list[dict[str, Any]]:
        """The rows of an MLflow evaluation dataset, by its name or id.

        Returns:
            `{"inputs": …, "expectations": …, "tags": …}` for each record.

        Raises:
            TrackingError: There is no such dataset.
        """
        if self._empty:
            raise TrackingError(catalog.no_dataset(self.store, name))
        with self._opened() as session:
            return catalog.dataset(session, name)

    def ui_command(self, port: int) -> list[str]:
        """The command line that serves MLflow's UI on this store; for a server, just its URL.

        It has to run with this process's environment, which is set for it.
        """
        place = self.store
        if place.served:
            return [place.shown]
        environment.set_environment(place)
        command = [sys.executable, "-m", "mlflow", "server"]
        if place.shown == place.uri:
            command += ["--backend-store-uri", place.uri]
        else:
            os.environ["MLFLOW_BACKEND_STORE_URI"] = place.uri  # it holds a password
        command += ["--artifacts-destination", place.artifacts.as_uri()]
        return [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]

    def _opened(self) -> AbstractContextManager[Session]:
        return sessions.opened(self.store)

    @property
    def _empty(self) -> bool:
        """Whether the store is a file that was never written: reading must not create it."""
        file = self.store.file
        return file is not None and not file.exists()
