"""One evaluation in its folder: results.jsonl and evaluation.json."""

from dataclasses import asdict, replace
from pathlib import Path

from vcmp.errors import ResultsError
from vcmp.metrics import summarize
from vcmp.results.files import (
    SCHEMA,
    adapter,
    damaged,
    line,
    pretty,
    read,
    read_lines,
    replace_file,
)
from vcmp.types import Evaluation, Result


def append(result: Result, folder: Path) -> None:
    """Add one line to the folder's results.jsonl; it is on disk for other readers on return."""
    folder.mkdir(parents=True, exist_ok=True)
    text = line(asdict(result))
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(text)


def save(evaluation: Evaluation, folder: Path) -> None:
    """Write evaluation.json, and results.jsonl in the order of the dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "results.jsonl", (line(asdict(result)) for result in evaluation.results))
    document = asdict(replace(evaluation, results=()))
    del document["results"], document["known"]
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
    path = folder / "results.jsonl"
    rows = read_lines(path)
    try:
        evaluation: Evaluation = adapter(Evaluation).validate_python({**document, "results": rows})
    except ValueError as error:
        raise damaged(path, error) from error
    return evaluation
