"""Sweeps that run at once on one SQLite store: is a row lost, or in the wrong place?

    python benchmarks/together.py [rounds] [sweeps at once] [cases]

Each of the sweeps at once has a `max_tokens` of its own, which is in its versions' parameters and
in every request of its agents. Afterwards each row in the files and each trace in the store has to
be there once, under the version and the run whose requests it holds.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parent.parent
VARIANTS = ("empathetic", "basic")
EXPERIMENT = "together"
FIRST_LIMIT = 60
"""The `max_tokens` of the first sweep of a round; the others count on."""
PAGE = 500


@dataclass(frozen=True)
class Row:
    """One result in a file or one trace: whose it claims to be, and whose its request was."""

    sweep: str
    """Name of the sweep's folder, or id of the run."""
    version: str
    case_id: str
    claimed: int
    """The `max_tokens` of the version."""
    requested: int
    """The `max_tokens` of the request."""
    started_ms: int


def make_project(folder: Path) -> Path:
    """The sample project, committed, so that its versions have names of their own."""
    project = folder / "project"
    for name in ("conf", "agents"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, project / name, ignore=ignore)
    (project / ".gitignore").write_text("outputs/\n__pycache__/\n", encoding="utf-8")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


class Running(Protocol):
    """A command line that was begun."""

    returncode: int | None

    def communicate(self) -> tuple[str, str]: ...


Start = Callable[[Path, Sequence[str]], Running]
"""Begins `python -m vcmp` in a project, with these arguments."""


def start_alone(project: Path, arguments: Sequence[str]) -> Running:
    """In an interpreter of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "vcmp", *arguments],
        cwd=project,
        env={**_environment(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_round(project: Path, n_sweeps: int, n_cases: int, start: Start) -> list[tuple[int, str]]:
    """Start the sweeps at once; their exit codes, and what they said."""
    shared = (f"agent={','.join(VARIANTS)}", f"dataset.limit={n_cases}", "gate=none", "pool=false",
              f"tracking.experiment={EXPERIMENT}", "--multirun")  # fmt: skip
    running = [
        start(project, [f"agent.max_tokens={FIRST_LIMIT + number}", *shared])
        for number in range(n_sweeps)
    ]
    said = ["".join(process.communicate()) for process in running]
    return [(p.returncode or 0, text) for p, text in zip(running, said, strict=True)]


def _environment() -> dict[str, str]:
    import os

    return {key: value for key, value in os.environ.items() if "MLFLOW_" not in key}


def rows_in_files(project: Path) -> Iterator[Row]:
    """Every row of every sweep."""
    for file in sorted((project / "outputs").glob("2*/*/results.jsonl")):
        version = json.loads(file.with_name("evaluation.json").read_text("utf-8"))["version"]
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            yield Row(
                sweep=file.parent.parent.name,
                version=version["name"],
                case_id=row["case_id"],
                claimed=version["variant"]["params"]["max_tokens"],
                requested=row["calls"][0]["request"]["max_tokens"],
                started_ms=round(row["started_s"] * 1000),
            )


def rows_in_store(project: Path) -> Iterator[Row]:
    """Every trace, with the run and the version it is linked to."""
    import mlflow

    from vcmp.tracking.sessions import pages

    client = mlflow.MlflowClient(f"sqlite:///{project / 'outputs' / 'mlflow.db'}")
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    models = {m.model_id: m for m in client.search_logged_models([experiment_id])}
    runs = {
        run.info.run_id: run
        for run in pages(lambda token: client.search_runs([experiment_id], page_token=token))
    }
    assert {run.info.status for run in runs.values()} == {"FINISHED"}, "a run is not finished"
    for trace in pages(
        lambda token: client.search_traces([experiment_id], max_results=PAGE, page_token=token)
    ):
        metadata = trace.info.trace_metadata
        model = models[metadata["mlflow.modelId"]]
        run = runs[metadata["mlflow.sourceRun"]]
        assert run.data.tags["vcmp.model_id"] == model.model_id, "run and trace differ in version"
        call = next(span for span in trace.data.spans if span.parent_id)
        yield Row(
            sweep=run.info.run_id,
            version=model.tags["vcmp.version"],
            case_id=trace.info.tags["vcmp.case_id"],
            claimed=int(model.params["max_tokens"]),
            requested=call.inputs["max_tokens"],
            started_ms=trace.info.request_time,
        )


def report(rows: list[Row], where: str, wanted: int) -> int:
    """Print what is lost, twice or mixed among the rows; their number."""
    keys = Counter((row.sweep, row.version, row.case_id) for row in rows)
    twice = sum(number - 1 for number in keys.values())
    mixed = sum(row.claimed != row.requested for row in rows)
    lost = wanted - len(keys)
    print(f"{where:<9} {len(rows):6} rows   lost {lost}   twice {twice}   mixed {mixed}")
    return abs(lost) + twice + mixed


def differing(files: list[Row], store: list[Row]) -> int:
    """Rows that are not in files and store alike, whatever sweep or run they are in."""

    def count(rows: list[Row]) -> Counter[tuple[str, str, int]]:
        return Counter((row.version, row.case_id, row.started_ms) for row in rows)

    here, there = count(files), count(store)
    return (here - there).total() + (there - here).total()


def main(arguments: list[str], start: Start = start_alone) -> int:
    given = [int(argument) for argument in arguments]
    n_rounds, n_sweeps, n_cases = (*given, *(20, 4, 6)[len(given) :])
    with tempfile.TemporaryDirectory() as folder:
        project, begun = make_project(Path(folder)), time.monotonic()
        failed = 0
        for number in range(1, n_rounds + 1):
            for code, said in run_round(project, n_sweeps, n_cases, start):
                if code or "not recorded" in said:
                    failed += 1
                    print(f"round {number}: exit {code}\n{said}")
        seconds = time.monotonic() - begun
        files, store = list(rows_in_files(project)), list(rows_in_store(project))
    wanted = n_rounds * n_sweeps * len(VARIANTS) * n_cases
    print(f"{n_rounds} rounds of {n_sweeps} sweeps at once, {seconds:.0f} s, failed {failed}")
    bad = report(files, "in files", wanted) + report(store, "in store", wanted)
    unlike = differing(files, store)
    print(f"not alike in files and store: {unlike}")
    return int(bool(failed or bad or unlike))


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main(sys.argv[1:]))
