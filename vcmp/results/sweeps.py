"""A sweep in its folder: how it is to be concluded, and its evaluations."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vcmp.errors import ResultsError
from vcmp.results.files import SCHEMA, adapter, damaged, pretty, read, replace_file
from vcmp.results.pooling import load_pooled
from vcmp.types import Evaluation

BASELINE = "baseline"
"""Folder, beside the jobs', of a baseline that was evaluated earlier."""
REVISIONS = "revisions"
"""Folder of the folders, called after commits, in which revisions are being evaluated."""
ANCHORS = "anchors"
"""Folder of the folders of further baselines that were evaluated earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """What to conclude a sweep with, as JSON values."""

    baseline: str = ""
    anchors: tuple[str, ...] = ()
    """Further baselines, as the configuration names them."""
    anchor_folders: tuple[str, ...] = ()
    """Where those that there are lie: in the folder of a job, or in one of `anchors/`."""
    gate: str = ""
    """Name of the gate policy."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """The composed `gate` group."""
    report: Mapping[str, Any] = field(default_factory=dict)
    trust: tuple[str, ...] = ()
    """Modules beside the project's own that rules may be from."""
    jobs: tuple[str, ...] = ()
    """Folders of the sweep's evaluations; none may be missing from a conclusion."""
    command: str = ""
    arguments: tuple[str, ...] = ()
    """The command line's, with which the sweep goes on when it was ended."""
    versions: tuple[str, ...] = ()
    """Names of the evaluations' versions, in the order of `jobs`."""
    code: str = ""
    """Digest of the project's code, outside git; "" where the names of the versions tell it."""
    answerer: str = ""
    """Whom they all ask; "" where that was not kept."""
    notes: tuple[str, ...] = ()
    gathering: bool = False
    """Whether what the sweep is judged with is not all there yet."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """By the name of a baseline or an anchor, such as git:main, the commit that it stands for."""
    tracking: tuple[str, ...] = ()
    """Overrides of the command line that say which store the sweep belongs into."""
    unrecorded: str = ""
    """Note that says why the store did not take the sweep; "" when it did, or was not to."""


def load_sweep(folder: Path, record: SweepRecord) -> tuple[Evaluation, ...]:
    """The sweep's evaluations in the order of its jobs, each pooled with earlier ones.

    Raises:
        ResultsError: One is missing, as after an interrupt, or cannot be read.
    """
    missing = [job for job in record.jobs if not (folder / job / "evaluation.json").is_file()]
    if missing:
        raise ResultsError(
            f"{folder}: {missing[0]}/evaluation.json is missing; the evaluation did not end.\n"
            f"  Go on with it: vcmp resume {folder}"
        )
    return tuple(load_pooled(folder / job) for job in record.jobs)


def load_baseline(folder: Path) -> Evaluation | None:
    """The baseline that lies beside the sweep; None when it is one of the sweep's own versions."""
    path = folder / BASELINE
    return load_pooled(path) if path.is_dir() else None


def load_anchors(folder: Path, own: Sequence[Evaluation] = ()) -> tuple[Evaluation, ...]:
    """The further baselines of the sweep, in the order asked for; some may be its own versions.

    Args:
        folder: Of the sweep.
        own: The sweep's own evaluations, in the order of its jobs; they are read when not given.

    Raises:
        ResultsError: Files are missing or damaged.
    """
    record = load_record(folder)
    given = dict(zip(record.jobs, own, strict=False))
    return tuple(
        given[path] if path in given else load_pooled(folder / path)
        for path in record.anchor_folders
    )


def remove_revisions(folder: Path) -> None:
    """Remove the files of revisions whose evaluations lie where they are judged with."""
    shutil.rmtree(folder / REVISIONS, ignore_errors=True)


def save_record(record: SweepRecord, folder: Path) -> None:
    """Write sweep.json."""
    replace_file(folder / "sweep.json", [pretty({"schema": SCHEMA, **asdict(record)})])


def load_record(folder: Path) -> SweepRecord:
    """Read how the sweep is to be concluded.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    path = folder / "sweep.json"
    if not path.is_file():
        raise ResultsError(f"{folder}: is no folder of a sweep. Give one: outputs/<sweep>")
    try:
        record: SweepRecord = adapter(SweepRecord).validate_python(read(path))
    except ValueError as error:
        raise damaged(path, error) from error
    return record
