"""The face of the tracking store."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcmp.errors import TrackingError
from vcmp.tracking import analysis, catalog, record, store
from vcmp.tracking.analysis import TraceSummary
from vcmp.tracking.catalog import RecordedVersion
from vcmp.tracking.record import Recorded
from vcmp.tracking.store import Session, Store
from vcmp.types import Evaluation


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

    @property
    def store(self) -> Store:
        """Where the URI leads."""
        return store.locate(self.uri, self.experiment, Path(self.project))

    def set_environment(self) -> None:
        """Set the variables MLflow reads, without importing it.

        Worth calling before an agent's module is imported: one that traces itself then does not
        look for a store of its own.
        """
        store.set_environment(self.store)

    def prepare(self) -> None:
        """Create database and experiment if need be; cheap when they are there.

        Raises:
            TrackingError: The store cannot be used; known within 5 seconds.
        """
        with self._opened():
            pass

    def record(self, evaluation: Evaluation, folder: Path) -> Recorded:
        """Record an evaluation, whose files lie in `folder`, as a new run of its version.

        Raises:
            TrackingError: The store failed; the run that was begun is marked FAILED.
        """
        with self._opened() as session:
            return record.record(session, evaluation, folder)

    def attach(
        self, recorded: Recorded, report_files: Iterable[Path], tags: Mapping[str, str]
    ) -> None:
        """Add files to the recorded run, and tags such as `vcmp.verdict` to run and version."""
        with self._opened() as session:
            record.attach(session, recorded, report_files, tags)

    def find(
        self, *, app: str, variant: str = "", version: str = "", passed: bool = False
    ) -> Path | None:
        """Fetch the newest complete evaluation that matches.

        Args:
            app: Of the version.
            variant: Name of the variant; "" is any.
            version: Name of the version, or id of its LoggedModel; "" is any.
            passed: Only evaluations whose verdict was pass.

        Returns:
            A new temporary folder with the evaluation's files; None when nothing matches.
        """
        if self._empty:
            return None
        with self._opened() as session:
            wanted = {"vcmp.app": app, "vcmp.variant": variant}
            if passed:
                wanted["vcmp.verdict"] = "pass"
            return catalog.find(session, wanted, version)

    def versions(self, order_by: str = "", app: str = "") -> tuple[RecordedVersion, ...]:
        """All recorded versions with the metrics of their newest complete evaluation.

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
            return [self.uri or place.uri]
        store.set_environment(place)
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", place.uri]
        command += ["--artifacts-destination", place.artifacts.as_uri()]
        return [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]

    def _opened(self) -> AbstractContextManager[Session]:
        return store.opened(self.store)

    @property
    def _empty(self) -> bool:
        """Whether the store is a file that was never written: reading must not create it."""
        file = self.store.file
        return file is not None and not file.exists()
