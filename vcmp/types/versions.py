"""What is evaluated: a configuration of an agent, at a revision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One configuration of an agent."""

    name: str
    """File name plus the overrides as a slug: `empathetic-temperature_0_7`."""
    choice: str = ""
    """The file in `conf/agent` it came from, without its ending."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """All parameters as the agent got them (prompt, model, temperature, …); JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The git commit the evaluation ran on, and whether the tree differed from it."""

    commit: str
    """40 hexadecimal digits."""
    branch: str = ""
    """"" on a detached HEAD."""
    dirty: str = ""
    """Digest of what differs from the commit; "" for a clean tree."""
    remote_url: str = ""
    """URL of the remote, without credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A variant at a revision; one MLflow LoggedModel."""

    name: str
    """`<app>-<variant>-git-<sha8>[-dirty-<digest6>]`, outside git `<app>-<variant>-local-dev`."""
    app: str
    variant: Variant
    revision: Revision | None = None
