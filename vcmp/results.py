"""Result files: what an evaluation leaves on disk, and all that a conclusion needs.

outputs/<sweep>/sweep.json              how to conclude: baseline, gate, report, command
outputs/<sweep>/<n>/results.jsonl       one result a line, appended as it finishes
outputs/<sweep>/<n>/evaluation.json     everything else about the evaluation
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcmp.errors import ResultsError
from vcmp.metrics import summarize
from vcmp.types import Evaluation, Result

if TYPE_CHECKING:
    from pydantic import TypeAdapter

BASELINE = "baseline"
"""Folder, beside the jobs', of a baseline that was evaluated earlier."""
SCHEMA = 1
"""Version of the files' layout; a reader refuses one it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """What to conclude a sweep with, as JSON values."""

    baseline: str = ""
    gate: str = ""
    """Name of the gate policy."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """The composed `gate` group."""
    report: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    notes: tuple[str, ...] = ()


def append(result: Result, folder: Path) -> None:
    """Add one line to the folder's results.jsonl; it is on disk for other readers on return."""
    line = json.dumps(asdict(result), ensure_ascii=True, default=str)
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def save(evaluation: Evaluation, folder: Path) -> None:
    """Write evaluation.json, and results.jsonl in the order of the dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(result), default=str) + "\n" for result in evaluation.results]
    _replace(folder / "results.jsonl", "".join(lines))
    document = asdict(replace(evaluation, results=()))
    del document["results"]
    document["dataset"]["digest"] = evaluation.dataset.digest
    document |= {"schema": SCHEMA, "metrics": summarize(evaluation)}
    _replace(folder / "evaluation.json", _pretty(document))


def load(folder: Path) -> Evaluation:
    """Read what `save` wrote.

    Raises:
        ResultsError: A file is missing, damaged or of another layout.
    """
    document = _read(folder / "evaluation.json")
    if document.get("schema") != SCHEMA:
        raise ResultsError(
            f"{folder / 'evaluation.json'}: written with layout {document.get('schema')!r},"
            f" this vcmp reads {SCHEMA}. Evaluate again, or use the vcmp that wrote it."
        )
    path = folder / "results.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        evaluation: Evaluation = _adapter(Evaluation).validate_python({**document, "results": rows})
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return evaluation


def load_sweep(folder: Path) -> tuple[Evaluation, ...]:
    """The sweep's evaluations, in the order of its jobs.

    Raises:
        ResultsError: There is none, or one cannot be read.
    """
    jobs = [path.parent for path in folder.glob("*/evaluation.json")]
    jobs = [job for job in jobs if job.name != BASELINE]
    if not jobs:
        raise ResultsError(
            f"{folder}: no <n>/evaluation.json in it. Give the folder of a sweep: outputs/<sweep>"
        )
    return tuple(load(job) for job in sorted(jobs, key=lambda job: (len(job.name), job.name)))


def load_baseline(folder: Path) -> Evaluation | None:
    """The baseline that lies beside the sweep; None when it is one of the sweep's own versions."""
    path = folder / BASELINE
    return load(path) if path.is_dir() else None


def save_record(record: SweepRecord, folder: Path) -> None:
    _replace(folder / "sweep.json", _pretty({"schema": SCHEMA, **asdict(record)}))


def load_record(folder: Path) -> SweepRecord:
    """Read how the sweep is to be concluded.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    path = folder / "sweep.json"
    try:
        record: SweepRecord = _adapter(SweepRecord).validate_python(_read(path))
    except ValueError as error:
        raise _damaged(path, error) from error
    return record


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(document, dict):
        raise _damaged(path, ValueError("not a JSON object"))
    return document


def _damaged(path: Path, error: Exception) -> ResultsError:
    what = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
    return ResultsError(f"{path}: cannot be read ({what}). Evaluate again.")


def _replace(path: Path, text: str) -> None:
    """Write a whole file or none: a reader never meets half of it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _pretty(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=True, default=str) + "\n"


@cache
def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # 0.3 s, and only reading needs it

    return TypeAdapter(kind)
