"""One evaluation in its folder: results.jsonl and evaluation.json."""

from dataclasses import asdict, replace
from pathlib import Path

from vcmp.errors import ResultsError
from vcmp.metrics import summarize
from vcmp.results.files import (
    SCHEMA,
    adapter,
    append_line,
    damaged,
    line,
    pretty,
    read,
    read_lines,
    replace_file,
)
from vcmp.types import Evaluation, Result

ROWS = "results.jsonl"


def append(result: Result, folder: Path) -> None:
    """Add one line to the folder's results.jsonl; it is on disk for other readers on return.

    Raises:
        StorageError: It cannot be written; the file is as it was.
    """
    append_line(folder / ROWS, asdict(result))


def save(evaluation: Evaluation, folder: Path) -> None:
    """Write evaluation.json, and results.jsonl in the order of the dataset.

    Raises:
        StorageError: They cannot be written; the files are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / ROWS, (line(asdict(result)) for result in evaluation.results))
    document = asdict(replace(evaluation, results=()))
    del document["results"], document["earlier"]
    document["dataset"]["digest"] = evaluation.dataset.digest
    document |= {"schema": SCHEMA, "metrics": summarize(evaluation)}
    replace_file(folder / "evaluation.json", [pretty(document)])


def load(folder: Path) -> Evaluation:
    """Read what `save` wrote.

    Raises:
        ResultsError: A file is missing, damaged or of another layout.
    """
    document = read(folder / "evaluation.json")
    if document.get("schema") != SCHEMA:
        raise ResultsError(
            f"{folder / 'evaluation.json'}: written with layout {document.get('schema')!r},"
            f" this vcmp reads {SCHEMA}. Evaluate again, or use the vcmp that wrote it."
        )
    path = folder / ROWS
    rows = read_lines(path)
    try:
        evaluation: Evaluation = adapter(Evaluation).validate_python({**document, "results": rows})
    except ValueError as error:
        raise damaged(path, error) from error
    return evaluation
