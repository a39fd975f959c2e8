"""What a project is given for a sweep, and what the sweep has left in it."""

import json
from pathlib import Path
from typing import Any

QUESTIONS = [f"Where is order {n}?" for n in range(40)]


def write_cases(project: Path, n_cases: int = 40) -> str:
    """A dataset of `n_cases` questions, as an override that chooses it."""
    lines = [
        json.dumps({"id": f"q{n}", "inputs": {"question": question},
                    "expectations": {"expected_facts": ["order"]}})
        for n, question in enumerate(QUESTIONS[:n_cases])
    ]  # fmt: skip
    (project / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "dataset.path=cases.jsonl"


def write(project: Path, path: str, text: str) -> None:
    (project / path).write_text(text, encoding="utf-8")


def sweep_folder(project: Path) -> Path:
    """The folder of the only sweep that a project has run."""
    (folder,) = (path for path in (project / "outputs").glob("2*") if path.is_dir())
    return folder


def verdict(project: Path) -> dict[str, Any]:
    """What the only sweep says to machines."""
    document: dict[str, Any] = json.loads(
        (sweep_folder(project) / "verdict.json").read_text(encoding="utf-8")
    )
    return document


def rows(project: Path, job: int = 0) -> list[dict[str, Any]]:
    """The results of one version of the only sweep."""
    text = (sweep_folder(project) / str(job) / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
