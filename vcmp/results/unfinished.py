"""What an evaluation that did not end has left: finished results, and answers without all scores.

outputs/<sweep>/<n>/results.jsonl    one finished result a line
outputs/<sweep>/<n>/answers.jsonl    while judges score: an answer a line, then its scores
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vcmp.errors import ResultsError
from vcmp.results.evaluations import ROWS
from vcmp.results.files import adapter, append_line, damaged, line, read_whole_lines, replace_file
from vcmp.types import Result, Score

ANSWERS = "answers.jsonl"


class Journal:
    """Keeps answers, and the scores that judges give them, before their results are finished.

    Args:
        folders: Of the evaluations, in the order of their plans.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    def answered(self, plan: int, result: Result) -> None:
        """Keep an answer that has no scores yet."""
        append_line(self._folders[plan] / ANSWERS, {"answer": asdict(result)})

    def scored(self, plan: int, result: Result, scorer: str, score: Score) -> None:
        """Keep one score of an answer."""
        document = {"key": result.key, "scorer": scorer, "score": asdict(score)}
        append_line(self._folders[plan] / ANSWERS, document)

    def close(self) -> None:
        """All results are finished: forget the answers."""
        for folder in self._folders:
            (folder / ANSWERS).unlink(missing_ok=True)


def load_unfinished(folder: Path) -> dict[str, Result]:
    """Results by key: the finished ones, and answers with the scores that they have.

    A torn last line, where the process was killed, is no result.

    Raises:
        ResultsError: A file is damaged, or written by a vcmp whose results have no keys.
    """
    answers = {result.key: result for result in _answers(folder / ANSWERS)}
    rows = _results(folder / ROWS, read_whole_lines(folder / ROWS))
    return answers | {result.key: result for result in rows}


def save_unfinished(finished: Iterable[Result], answers: Iterable[Result], folder: Path) -> None:
    """Write both files anew, without torn lines, so that more can be added."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / ROWS, (line(asdict(result)) for result in finished))
    replace_file(folder / ANSWERS, (line({"answer": asdict(result)}) for result in answers))


def _answers(path: Path) -> Iterable[Result]:
    rows = read_whole_lines(path)
    found = {r.key: r for r in _results(path, [row["answer"] for row in rows if "answer" in row])}
    for row in rows:
        if "score" in row and row["key"] in found:
            result, score = found[row["key"]], Score(**row["score"])
            found[row["key"]] = replace(result, scores={**result.scores, row["scorer"]: score})
    return found.values()


def _results(path: Path, rows: list[Any]) -> Iterator[Result]:
    for row in rows:
        try:
            result: Result = adapter(Result).validate_python(row)
        except ValueError as error:
            raise damaged(path, error) from error
        if not result.key:
            raise ResultsError(f"{path}: its results have no keys. Evaluate again.")
        yield result
