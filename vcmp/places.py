"""The paths in a composed configuration.

A path that a file of conf/ says stays inside the project: whoever may change that file could
otherwise have /etc/passwd read into a report, or another program's database written to. One that
the user types is the user's own.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError
from vcmp.paths import inside

PLACES = ("dataset.path", "provider.faq", "provider.cassette", "report.template", "tracking.uri")
STORED = ("mlflow:",)
"""Begins the path of a dataset that lies in the MLflow store."""


def check_places(config: Mapping[str, Any], overrides: Iterable[str], project: Path) -> None:
    """Refuse paths of files that lead out of the project.

    Args:
        config: Composed and resolved.
        overrides: What the command line changed in it, without `+` signs.

    Raises:
        ConfigError: A path leads out of the project and was not typed.
    """
    typed = {override.partition("=")[0] for override in overrides}
    for key in PLACES:
        group, _, name = key.partition(".")
        value = config[group].get(name)
        if isinstance(value, str) and key not in typed and (place := place_of(key, value)):
            inside(project, place, key, f"Keep it inside, or type it: {key}=…")


def place_of(key: str, value: str) -> str:
    """The path that the value of one of `PLACES` names; "" when it lies in no file.

    Raises:
        ConfigError: It names a database in a way that hides which file it is.
    """
    if value.startswith(STORED):
        return ""
    return _database(value) if key == "tracking.uri" else value


def _database(uri: str) -> str:
    """The file that a tracking URI names; "" when a server, or memory, is meant.

    Raises:
        ConfigError: It is SQLite's own kind of URI, which could name any file in many ways.
    """
    scheme, mark, rest = uri.partition("://")
    if scheme.partition("+")[0] != "sqlite" or not mark:
        return uri.removeprefix("file:") if uri.startswith("file:") else ""
    path = rest.partition("?")[0].removeprefix("/")
    if path.startswith("file:"):
        raise ConfigError(f"tracking.uri: {uri!r} is no plain path. Write sqlite:///FILE")
    return "" if path in ("", ":memory:") else path
