"""Recorded evaluations: which there are, and the files of the one that is wanted."""

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from vcmp.tracking.record import BEST_OF, FILES, marks
from vcmp.tracking.sessions import Session, pages
from vcmp.types import ScorerCard

PAGE = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What an evaluation has to be like; by default each may be any."""

    app: str
    variant: str = ""
    version: str = ""
    """Name of the version, or id of its LoggedModel."""
    passed: bool = False
    """Only those whose verdict was pass."""
    dataset: str = ""
    """Digest of the dataset."""
    scripted: bool | None = None
    """Whether the scripted demo answered."""
    scorers: Mapping[str, ScorerCard] = field(default_factory=dict)
    """Those that both have must be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A recorded evaluation that matches, while it is read."""

    folder: Path
    """Holds its files, and is gone afterwards."""
    best_of: int = 0
    """Candidates among which it was the best, when it won a selection; else 0."""


def find(session: Session, sought: Sought, read: Callable[[Found], T | None]) -> Iterator[T]:
    """Read the files of complete evaluations, newest first, and give what `read` makes of them."""
    for run in _runs(session, ["attributes.status = 'FINISHED'", *_conditions(sought)]):
        files = {file.path for file in session.client.list_artifacts(run.info.run_id)}
        if not files.issuperset(FILES) or not _same_scorers(run, sought.scorers):
            continue
        with tempfile.TemporaryDirectory(prefix="vcmp-") as folder:
            for file in FILES:
                session.client.download_artifacts(run.info.run_id, file, folder)
            best_of = int(run.data.tags.get(BEST_OF, 0))
            made = read(Found(folder=Path(folder), best_of=best_of))
        if made is not None:
            yield made


def sizes(session: Session) -> dict[str, tuple[int, int]]:
    """Cases and results of each complete evaluation, by the id of its run."""
    runs = _runs(session, ["attributes.status = 'FINISHED'"])
    return {
        run.info.run_id: (
            int(run.data.tags.get("vcmp.cases", 0)),
            int(run.data.tags.get("vcmp.results", 0)),
        )
        for run in runs
    }


def is_model_id(version: str) -> bool:
    """Whether MLflow made this up as the id of a LoggedModel."""
    return re.fullmatch("m-[0-9a-f]{32}", version) is not None


def quoted(value: str) -> str:
    """A text as MLflow's filters take it; one that has both kinds of quotes is beyond them."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def _conditions(sought: Sought) -> Iterator[str]:
    scripted = {None: "", True: "true", False: "false"}[sought.scripted]
    named = "vcmp.model_id" if is_model_id(sought.version) else "vcmp.version"
    wanted = {
        "vcmp.app": sought.app,
        "vcmp.variant": sought.variant,
        named: sought.version,
        "vcmp.verdict": "pass" if sought.passed else "",
        "vcmp.dataset_digest": sought.dataset,
        "vcmp.scripted": scripted,
    }
    return (f"tags.`{key}` = {quoted(value)}" for key, value in wanted.items() if value)


def _runs(session: Session, conditions: list[str]) -> Iterator[Any]:
    """Newest first."""
    return pages(
        lambda token: session.client.search_runs(
            [session.experiment_id],
            " AND ".join(conditions),
            order_by=["attributes.start_time DESC"],
            max_results=PAGE,
            page_token=token,
        )
    )


def _same_scorers(run: Any, scorers: Mapping[str, ScorerCard]) -> bool:
    before = json.loads(run.data.tags.get("vcmp.scorers", "{}"))
    return all(before.get(name, mark) == mark for name, mark in marks(scorers).items())
