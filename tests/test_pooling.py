"""A second run of a version adds repeats to the first; it does not roll the dice again."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.conftest import git, make_project, place_store, run_vcmp

AGENTS = """
import random
from pathlib import Path


def answer(question, *, rate):
    if Path("down").exists():
        raise ConnectionError("down")
    return "yes" if random.random() < rate else "no"


def said_yes(case, output):
    return float(output == "yes")
"""
GATE = "rules: [{_target_: vcmp.gates.NonInferiority, metric: said_yes, margin: 0.3}]"
SWEEP = ("agent=lucky,fair", "baseline=fair", "scorers=said", "gate=said", "dataset=dice", "-m")
N_CASES = 30


@dataclass(frozen=True)
class Run:
    """What one run said, and the folder it left."""

    done: subprocess.CompletedProcess[str]
    folder: Path


def write(project: Path, path: str, text: str) -> None:
    (project / path).write_text(text, encoding="utf-8")


def run(project: Path, *more: str) -> Run:
    before = set(project.glob("outputs/2*"))
    done = run_vcmp(project, *SWEEP, *more)
    (folder,) = set(project.glob("outputs/2*")) - before
    return Run(done=done, folder=folder)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> tuple[Path, Run, Run]:
    """A project with dice in its agents, in which two versions were evaluated twice."""
    project = make_project(tmp_path_factory.mktemp("pooling"))
    place_store(new_store, project)
    write(project, "agents/dice.py", AGENTS)
    for name, rate in {"fair": 0.5, "lucky": 0.6}.items():
        node = f"_target_: agents.dice.answer\n_partial_: true\nrate: {rate}\n"
        write(project, f"conf/agent/{name}.yaml", node)
    scorer = "said_yes: {_target_: agents.dice.said_yes, _partial_: true}"
    write(project, "conf/scorers/said.yaml", scorer)
    write(project, "conf/gate/said.yaml", GATE)
    cases = (json.dumps({"id": f"q{n}", "inputs": {"question": f"{n}?"}}) for n in range(N_CASES))
    write(project, "conf/dataset/dice.jsonl", "\n".join(cases))
    write(project, "conf/dataset/dice.yaml", "path: conf/dataset/dice.jsonl\nname: dice\n")
    write(project, ".gitignore", "outputs/\n__pycache__/\ndown\n")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Roll dice")
    return project, run(project, "repeats=2"), run(project)


def rows(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def mean(found: list[dict[str, Any]]) -> float:
    return fmean(row["scores"]["said_yes"]["value"] for row in found)


def test_a_first_run_stands_for_itself(story):
    _, first, _ = story

    assert first.done.returncode in (0, 1, 3), first.done.stderr
    assert "pooled" not in first.done.stdout
    assert f"{N_CASES} cases × 2 " in first.done.stdout
    assert not (first.folder / "0/earlier").exists()


def test_a_second_run_adds_its_repeats(story):
    """Screen, report and verdict show all of them, and say how to have this run alone."""
    _, first, second = story
    note = (
        "lucky, fair: pooled with 1 earlier run of the same version (3 repeats in all);"
        " pool=false judges this run alone"
    )

    assert second.done.returncode in (0, 1, 3), second.done.stderr
    assert f"note: {note}\n" in second.done.stdout
    assert f"{N_CASES} cases × 3 " in second.done.stdout
    assert "pooled with 1 earlier run" in (second.folder / "report.md").read_text("utf-8")
    verdict = json.loads((second.folder / "verdict.json").read_text("utf-8"))
    (lucky,) = verdict["candidates"]
    assert note in verdict["notes"]
    assert verdict["dataset"]["repeats"] == 3
    assert lucky["metrics"]["said_yes/mean"] == pytest.approx(
        mean([*rows(first.folder / "0"), *rows(second.folder / "0")])
    )


def test_concluding_again_pools_again(story):
    project, _, second = story
    before = (second.folder / "report.md").read_bytes()

    again = run_vcmp(project, "conclude", str(second.folder))

    assert again.returncode == second.done.returncode, again.stderr
    assert (second.folder / "report.md").read_bytes() == before


def test_each_run_is_kept_apart_and_a_broken_one_is_left_out(story):
    """Nothing is recorded twice, so nothing is pooled twice."""
    project, first, second = story
    write(project, "down", "")
    broken = run(project, "pool=false")
    (project / "down").unlink()

    third = run(project)

    assert "0 answered   30 failed" in broken.done.stdout
    assert "pooled" not in broken.done.stdout
    assert (
        "note: lucky, fair: 1 earlier run left out: more than 10 % of the results failed\n"
        "note: lucky, fair: pooled with 2 earlier runs of the same version (4 repeats in all);"
    ) in third.done.stdout
    assert rows(third.folder / "1/earlier/0") == rows(second.folder / "1")
    assert rows(third.folder / "1/earlier/1") == rows(first.folder / "1")
    assert not (third.folder / "1/earlier/2").exists()
    assert len(rows(third.folder / "1")) == N_CASES
