"""Logs: what a tool has seen of each version, made into a table against one of them."""

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError, suggest
from vcmp.metrics import MEASUREMENTS
from vcmp.tables.columns import COLUMNS, Table
from vcmp.tables.trials import ERROR

RESERVED = (ERROR, "error_rate", *MEASUREMENTS)
"""Names that mean something else than a score."""
SHORT = 40
"""Characters of a prompt or an argument in a version's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a case by one version."""

    case_id: str
    repeat: int
    failed: bool | None
    """None where nobody knows: it was planned, and there is nothing of it."""
    values: Mapping[str, float]
    """Scores and measurements; what could not be judged or measured is not there."""
    cluster: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """All runs of one version."""

    name: str
    aliases: frozenset[str]
    """What else it may be called by: its prompt, model, file, …"""
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a version comes from."""

    path: str
    traits: Mapping[str, str]
    """What it may differ in from others, in the order of its name: prompt, model, …"""

    @property
    def aliases(self) -> frozenset[str]:
        """Every name it may go by."""
        path = Path(self.path)
        return frozenset({self.path, path.name, path.stem, *self.traits.values()} - {""})


def name_all(origins: Sequence[Origin]) -> list[str]:
    """A name for each version: what it differs in from the others, else its file."""
    traits = dict.fromkeys(trait for origin in origins for trait in origin.traits)
    telling = [t for t in traits if len({origin.traits.get(t, "") for origin in origins}) > 1]
    stems = [Path(origin.path).stem for origin in origins]
    names = [" ".join(_short(o.traits[t]) for t in telling if o.traits.get(t)) for o in origins]
    if "" in names or len(set(names)) < len(names):
        names = [f"{name} {stem}".strip() for name, stem in zip(names, stems, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} {number}" for number, name in enumerate(names, start=1)]
    return names


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT else line[: SHORT - 1] + "…"


def tabulate(where: str, logs: Sequence[Log], baseline: str) -> Table:
    """Every version beside the baseline.

    Raises:
        ConfigError: It is not clear which version is the baseline, or there is no other.
    """
    chosen = _choose(where, logs, baseline)
    others = [log for log in logs if log is not chosen]
    if not others:
        raise ConfigError(
            f"{where}: has one version, {chosen.name!r}. Give a second one to compare."
        )
    lines = [line for other in others for line in _lines(chosen, other)]
    if not lines:
        raise ConfigError(f"{where}: has no result. Run it again.")
    columns = dict(zip(COLUMNS, zip(*lines, strict=True), strict=True))
    return Table(where=where, columns=columns)


def _choose(where: str, logs: Sequence[Log], baseline: str) -> Log:
    names = [log.name for log in logs]
    listed = ", ".join(map(repr, names))
    if not baseline:
        sign = "=" if "=" in names[0] else " "  # key=value alone would be an override
        raise ConfigError(
            f"{where}: has {listed}. "
            f"Say which is the baseline: --baseline{sign}{shlex.quote(names[0])}"
        )
    by_name = [log for log in logs if log.name == baseline]
    found = by_name or [log for log in logs if baseline in log.aliases]
    if not found:
        raise ConfigError(
            f"--baseline {baseline!r} is not in {where}, which has {listed}."
            f"{suggest(baseline, names)}"
        )
    if len(found) > 1:
        meant = ", ".join(repr(log.name) for log in found)
        raise ConfigError(f"--baseline {baseline!r} may be {meant}. Name one of them.")
    return found[0]


def _lines(baseline: Log, other: Log) -> Iterator[tuple[Any, ...]]:
    before, after = (
        {(run.case_id, run.repeat): run for run in log.runs} for log in (baseline, other)
    )
    marks = {run.case_id: (run.cluster, run.tag) for run in (*other.runs, *baseline.runs)}
    for key in sorted(before.keys() | after.keys()):
        runs = before.get(key), after.get(key)
        known = {scorer for run in runs if run for scorer in run.values}
        for scorer in (ERROR, *sorted(known)):
            values = (_value(run, scorer) for run in runs)
            name = scorer.replace("/", ".")  # behind a / rules expect a statistic
            yield (other.name, key[0], *marks[key[0]], key[1], name, *values)


def _value(run: Run | None, scorer: str) -> float | None:
    if run is None:
        return None
    if scorer == ERROR:
        return None if run.failed is None else float(run.failed)
    return run.values.get(scorer)


def known(values: Mapping[str, Any], number: Callable[[Any], float | None]) -> dict[str, float]:
    """The values that are numbers."""
    found = ((name, number(value)) for name, value in values.items())
    return {name: value for name, value in found if value is not None}


def number_of(value: Any) -> float | None:
    """A JSON value as a number; None for what is none, and for nan."""
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None


def marks_of(metadata: Any) -> tuple[str, str]:
    """The cluster and the tags that a case's metadata names."""
    if not isinstance(metadata, Mapping):
        return "", ""
    cluster = metadata.get("cluster") or metadata.get("conversationId") or ""
    tags = metadata.get("tags") or metadata.get("tag") or ""
    return str(cluster), ";".join(map(str, tags)) if isinstance(tags, list) else str(tags)


def refuse_reserved(path: str, names: Sequence[str], reserved: Sequence[str] = RESERVED) -> None:
    """Raise a ConfigError for a score whose name means something else."""
    for name in names:
        if name in reserved:
            raise ConfigError(
                f"{path}: a score is called {name!r}, which means something else here. Rename it."
            )
