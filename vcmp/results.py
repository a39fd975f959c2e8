"""Result files: what an evaluation leaves on disk, and all that a conclusion needs.

outputs/<sweep>/sweep.json              how to conclude: baseline, gate, report, command
outputs/<sweep>/<n>/results.jsonl       one result a line, appended as it finishes
outputs/<sweep>/<n>/evaluation.json     everything else about the evaluation
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcmp.errors import ResultsError
from vcmp.metrics import summarize
from vcmp.secrets import scrub
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
    trust: tuple[str, ...] = ()
    """Modules beside the project's own that rules may be from."""
    jobs: tuple[str, ...] = ()
    """Folders of the sweep's evaluations; none may be missing from a conclusion."""
    command: str = ""
    notes: tuple[str, ...] = ()


def append(result: Result, folder: Path) -> None:
    """Add one line to the folder's results.jsonl; it is on disk for other readers on return."""
    folder.mkdir(parents=True, exist_ok=True)
    line = _line(result)
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(line)


def save(evaluation: Evaluation, folder: Path) -> None:
    """Write evaluation.json, and results.jsonl in the order of the dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "results.jsonl", map(_line, evaluation.results))
    document = asdict(replace(evaluation, results=()))
    del document["results"]
    document["dataset"]["digest"] = evaluation.dataset.digest
    document |= {"schema": SCHEMA, "metrics": summarize(evaluation)}
    _replace(folder / "evaluation.json", [_pretty(document)])


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


def load_sweep(folder: Path, record: SweepRecord) -> tuple[Evaluation, ...]:
    """The sweep's evaluations, in the order of its jobs.

    Raises:
        ResultsError: One is missing, as after an interrupt, or cannot be read.
    """
    missing = [job for job in record.jobs if not (folder / job / "evaluation.json").is_file()]
    if missing:
        raise ResultsError(
            f"{folder}: {missing[0]}/evaluation.json is missing; the evaluation did not end."
            " Evaluate again."
        )
    return tuple(load(folder / job) for job in record.jobs)


def load_baseline(folder: Path) -> Evaluation | None:
    """The baseline that lies beside the sweep; None when it is one of the sweep's own versions."""
    path = folder / BASELINE
    return load(path) if path.is_dir() else None


def save_record(record: SweepRecord, folder: Path) -> None:
    _replace(folder / "sweep.json", [_pretty({"schema": SCHEMA, **asdict(record)})])


def load_record(folder: Path) -> SweepRecord:
    """Read how the sweep is to be concluded.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    path = folder / "sweep.json"
    if not path.is_file():
        raise ResultsError(f"{folder}: is no folder of a sweep. Give one: outputs/<sweep>")
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


def _replace(path: Path, parts: Iterable[str]) -> None:
    """Write a whole file or none: a reader never meets half of it."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.writelines(parts)
    new.replace(path)


def _line(result: Result) -> str:
    return f"{scrub(json.dumps(asdict(result), ensure_ascii=True, default=str))}\n"


def _pretty(document: Mapping[str, Any]) -> str:
    return f"{scrub(json.dumps(document, indent=1, ensure_ascii=True, default=str))}\n"


@cache
def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # 0.3 s, and only reading needs it

    return TypeAdapter(kind)
