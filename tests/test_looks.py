"""Planned looks through the command line: nothing is paid for once the gate has decided, and what
was paid for counts in the next run."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, git, make_project, place_store, run_vcmp
from tests.openai_server import OpenAIServer
from tests.sweeps import sweep_folder

GATE = """\
# stop as soon as it is plain
rules:
  - {_target_: vcmp.gates.NonInferiority, metric: mentions_facts, margin: 0.15}
looks: 4
"""
WHOLE = """\
# all cases, and few of them fail
rules:
  - {_target_: vcmp.gates.NonInferiority, metric: mentions_facts, margin: 0.15}
  - {_target_: vcmp.gates.MaxRate, metric: error_rate, max: 0.05}
"""
N_CASES = 80
GOOD, BAD = "Your order is on its way.", "No idea."


def write_project(project: Path) -> None:
    (project / "conf/gate/early.yaml").write_text(GATE, encoding="utf-8")
    (project / "conf/gate/whole.yaml").write_text(WHOLE, encoding="utf-8")
    lines = (
        json.dumps(
            {
                "id": f"q{number:02}",
                "inputs": {"question": f"Where is order {number}?"},
                "expectations": {"expected_facts": ["order"]},
            }
        )
        for number in range(N_CASES)
    )
    (project / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")


def is_caring(messages: Any) -> bool:
    """Whether it is the empathetic agent that asks."""
    return "caring" in str(messages)


def overrides(server: OpenAIServer, *more: str) -> list[str]:
    return [
        "provider=compatible", f"provider.base_url={server.base_url}", "dataset.path=cases.jsonl",
        "concurrency=4", *([] if "gate=whole" in more else ["gate=early"]), *more,
    ]  # fmt: skip


def run(vcmp: Run, server: OpenAIServer, *more: str) -> subprocess.CompletedProcess[str]:
    agents = "agent=empathetic,basic", "tracking=none", "-m"
    return vcmp(*overrides(server, *agents, *more))


def verdict_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "verdict.json").read_text(encoding="utf-8"))


def evaluation_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def test_an_unchanged_agent_stops_at_the_first_look_that_decides(project: Path, vcmp: Run):
    """The second look's 40 cases decide, and no other one is asked."""
    write_project(project)
    with OpenAIServer(lambda _messages, _body: GOOD) as server:
        done = run(vcmp, server)
        asked = len(server.requests)

    assert done.returncode == 0, done.stdout + done.stderr
    folder = sweep_folder(project)
    verdict = verdict_of(folder)
    (candidate,) = verdict["candidates"]
    assert (verdict["verdict"], candidate["look"], verdict["looks"]) == ("pass", 2, 4)
    assert candidate["n_cases_used"] == candidate["findings"][0]["n"] == 40
    assert asked == 2 * 40
    assert sum(evaluation_of(folder / "0")["asked"].values()) == 40
    assert "look 2 of 4, on 40 of 80 cases" in done.stdout
    assert "not run" not in (folder / "report.md").read_text("utf-8")

    before = (folder / "verdict.json").read_bytes()
    again = vcmp("conclude", str(folder.relative_to(project)))

    assert again.returncode == 0, again.stdout + again.stderr
    assert (folder / "verdict.json").read_bytes() == before


def test_a_plain_loss_stops_as_well_and_fails(project: Path, vcmp: Run):
    write_project(project)
    with OpenAIServer(lambda messages, _body: BAD if is_caring(messages) else GOOD) as server:
        done = run(vcmp, server)
        asked = len(server.requests)

    assert done.returncode == 1, done.stdout + done.stderr
    assert asked == 2 * 20


def test_a_gate_without_looks_does_not_judge_a_sweep_that_a_look_ended(project: Path, vcmp: Run):
    """At its level it would have decided at the end only: one look more than it pays for."""
    write_project(project)
    with OpenAIServer(lambda _messages, _body: GOOD) as server:
        run(vcmp, server)

    done = vcmp("conclude", str(sweep_folder(project)), "gate.looks=1")

    assert (done.returncode, done.stderr) == (
        2,
        "vcmp: a planned look ended this sweep, and gate=early without looks wants all cases.\n"
        "  Keep gate.looks as it was, or evaluate again without it: the runs are pooled.\n",
    )


def test_a_candidate_that_is_decided_is_asked_no_more(project: Path, vcmp: Run):
    """The others go on, and a later conclusion finds each at its own look."""
    write_project(project)
    with OpenAIServer(lambda messages, _body: BAD if is_caring(messages) else GOOD) as server:
        done = run(vcmp, server, "agent=empathetic,basic,concise")
        bodies = [str(request) for request in server.requests]

    folder = sweep_folder(project)
    looks = {each["variant"]: each["look"] for each in verdict_of(folder)["candidates"]}
    before = (folder / "verdict.json").read_bytes()
    again = vcmp("conclude", str(folder))

    assert done.returncode == 1, done.stdout + done.stderr
    assert looks == {"empathetic": 1, "concise": 2}
    assert (sum(map(is_caring, bodies)), len(bodies)) == (20, 20 + 2 * 40)
    assert again.returncode == 1, again.stderr
    assert (folder / "verdict.json").read_bytes() == before


@dataclass(frozen=True)
class Told:
    """What a run said, the folder it left, and how many questions it asked."""

    done: subprocess.CompletedProcess[str]
    folder: Path
    asked: int

    @property
    def candidate(self) -> dict[str, Any]:
        (candidate,) = verdict_of(self.folder)["candidates"]
        return candidate


@dataclass(frozen=True)
class Story:
    """Runs of one project, one after the other."""

    project: Path
    server: OpenAIServer
    answers: list[str]
    """What the empathetic agent says; the last one counts."""

    def run(self, *more: str) -> Told:
        before, n = set(self.project.glob("outputs/2*")), len(self.server.requests)
        done = run_vcmp(self.project, *overrides(self.server, *more))
        (folder,) = set(self.project.glob("outputs/2*")) - before
        return Told(done=done, folder=folder, asked=len(self.server.requests) - n)


BOTH = "agent=empathetic,basic", "-m"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> Iterator[Story]:
    project = make_project(tmp_path_factory.mktemp("looks"))
    place_store(new_store, project)
    write_project(project)
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Add a gate")
    answers = [GOOD]
    with OpenAIServer(
        lambda messages, _body: answers[-1] if is_caring(messages) else GOOD
    ) as server:
        yield Story(project=project, server=server, answers=answers)


@pytest.fixture(scope="module")
def first(story: Story) -> Told:
    """Both are as good as each other."""
    return story.run(*BOTH)


@pytest.fixture(scope="module")
def later(story: Story, first: Told) -> Told:
    """Another version, compared with what passed."""
    return story.run("agent=concise", "baseline=latest", "gate=whole")


@pytest.fixture(scope="module")
def second(story: Story, later: Told) -> Told:
    """The first again; the empathetic agent is bad from here on."""
    story.answers.append(BAD)
    return story.run(*BOTH)


@pytest.fixture(scope="module")
def reordered(story: Story, second: Told) -> Told:
    """The same for the third time, with the cases in another order."""
    return story.run(*BOTH, "seed=1")


def test_a_run_that_a_look_ended_is_a_baseline_up_to_it(first: Told, later: Told):
    """The comparison is over the cases that both have; the rest is the candidate's own."""
    note = "baseline empathetic was evaluated on 40 of 80 cases: a planned look ended it"

    assert first.done.returncode == 0, first.done.stdout + first.done.stderr
    assert (first.candidate["look"], first.asked) == (2, 2 * 40)
    assert later.done.returncode == 0, later.done.stdout + later.done.stderr
    assert note in later.done.stdout
    assert note in (later.folder / "report.md").read_text("utf-8")
    assert later.asked == later.candidate["asked"] == 80
    assert [finding["n"] for finding in later.candidate["findings"]] == [40, 80]


def test_a_second_run_is_pooled_and_decides_no_earlier_than_the_first(second: Told):
    """By itself it would fail at look 1, on 20 cases; what the first has seen is not set aside."""
    candidate = second.candidate

    assert second.done.returncode == 1, second.done.stdout + second.done.stderr
    assert (
        "note: empathetic, basic: pooled with 1 earlier run of the same version (2 repeats in all);"
    ) in second.done.stdout
    assert (candidate["look"], candidate["n_cases_used"], second.asked) == (2, 40, 2 * 40)
    assert (candidate["asked"], candidate["not_run"]) == (2 * 40, 0)
    assert candidate["metrics"]["mentions_facts/mean"] == 0.5


def test_a_run_in_another_order_decides_once_it_has_seen_what_was_known(reordered: Told):
    """Another seed is another draw of the first cases, and no second chance at few of them. Cases
    that earlier runs never asked are not missing."""
    candidate = reordered.candidate

    assert reordered.done.returncode == 1, reordered.done.stdout + reordered.done.stderr
    assert (candidate["look"], candidate["n_cases_used"], reordered.asked) == (4, 80, 2 * 80)
    assert (candidate["asked"], candidate["not_run"]) == (40 + 40 + 80, 0)


@pytest.mark.parametrize("run", ["later", "second", "reordered"])
def test_concluding_again_finds_the_same(story: Story, run: str, request: pytest.FixtureRequest):
    told: Told = request.getfixturevalue(run)
    before = (told.folder / "verdict.json").read_bytes()

    again = run_vcmp(story.project, "conclude", str(told.folder))

    assert again.returncode == told.done.returncode, again.stderr
    assert (told.folder / "verdict.json").read_bytes() == before
