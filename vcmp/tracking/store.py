"""Where evaluations are recorded: the address of a store."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from vcmp.errors import TrackingError


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
