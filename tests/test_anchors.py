"""Further baselines: a row of small losses, each within its margin, is seen by a pinned version."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, git, make_project, place_store, run_vcmp

SMALL = ("dataset.limit=8", "gate=short")
GATE = "rules: [{_target_: vcmp.gates.Threshold, metric: concise, min: 0.99, evidence: point}]"


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> tuple[Path, str]:
    """A project in which one of two candidates has passed, and basic was changed then; and the
    commit of the candidates."""
    project = make_project(tmp_path_factory.mktemp("anchors"))
    place_store(new_store, project)
    (project / "conf/gate/short.yaml").write_text(GATE, encoding="utf-8")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Be short")
    run_vcmp(project, "agent=basic,concise,empathetic", *SMALL, "-m")
    candidates = json.loads(newest(project, "verdict.json"))["candidates"]
    assert [c["variant"] for c in candidates if c["outcome"] == "pass"] == ["concise"]
    sha = git(project, "rev-parse", "HEAD")[:8]
    path = project / "conf/agent/basic.yaml"
    path.write_text(path.read_text("utf-8").replace("helpful", "friendly"), encoding="utf-8")
    git(project, "commit", "-q", "-am", "Be friendly")
    return project, sha


def newest(project: Path, path: str) -> str:
    folder = max(project.glob("outputs/2*"), key=lambda folder: folder.stat().st_ctime_ns)
    return (folder / path).read_text(encoding="utf-8")


def version_of(project: Path, folder: str) -> str:
    return str(json.loads(newest(project, f"{folder}/evaluation.json"))["version"]["name"])


def sweep_of(project: Path) -> dict[str, Any]:
    return dict(json.loads(newest(project, "sweep.json")))


def test_a_pinned_version_is_compared_with_beside_the_baseline(pinned: tuple[Path, str]):
    """`previous` is what passed last, `anchor` what was pinned; both come from the store."""
    project, sha = pinned
    name, passed = (f"customer_support_agent-{v}-git-{sha}" for v in ("empathetic", "concise"))

    pin = run_vcmp(project, "versions", "pin", name)
    done = run_vcmp(project, "agent=basic", "baselines=[previous,anchor]", *SMALL)
    listed = run_vcmp(project, "versions")
    off = run_vcmp(project, "versions", "unpin")

    assert (pin.returncode, pin.stdout) == (
        0, f"pinned {name}. Compare with it: baselines=[previous,anchor]\n",
    ), pin.stderr  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sweep = sweep_of(project)
    assert (sweep["baseline"], sweep["anchors"]) == ("previous", ["anchor"])
    assert sweep["anchor_folders"] == ["anchors/0"]
    assert version_of(project, "baseline") == passed
    assert version_of(project, "anchors/0") == name
    assert (
        f"note: baseline {passed} was the best of 2 when it was recorded, so its scores are biased"
        " upward; evaluate it afresh (add it to agent=…) for a fair comparison\n"
    ) in done.stdout
    assert done.stdout.count("was the best of") == 1
    assert f"{name} (anchor)" in listed.stdout
    assert listed.stdout.count("(anchor)") == 1
    assert off.stdout == f"unpinned {name}\n"


def test_anchors_of_a_sweep_lie_where_they_were_evaluated(pinned: tuple[Path, str]):
    """And the command line's baseline= is the first of them in any case."""
    project, sha = pinned
    name = f"customer_support_agent-empathetic-git-{sha}"

    done = run_vcmp(
        project, "agent=basic,empathetic,concise", f"baselines=[previous,version:{name},concise]",
        "baseline=basic", *SMALL, "-m",
    )  # fmt: skip

    assert done.returncode == 1, done.stdout + done.stderr  # empathetic is too long
    sweep = sweep_of(project)
    assert (sweep["baseline"], sweep["anchors"]) == ("basic", [f"version:{name}", "concise"])
    assert sweep["anchor_folders"] == ["anchors/0", "2"]
    assert version_of(project, "anchors/0") == name
    assert name in newest(project, "verdict.json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["agent=basic,empathetic", "baselines=[basic,anchor]"],
            "vcmp: baselines: anchor: no version of 'customer_support_agent' is pinned."
            " Pin one: vcmp versions pin NAME\n",
        ),
        (
            ["agent=basic,empathetic", "baselines=[basic,empatetic]"],
            "vcmp: baselines: 'empatetic' is not in this sweep, which has 'basic', 'empathetic'."
            " Did you mean 'empathetic'?\n"
            "  Add it (agent=empatetic,…), or take it out of baselines=[…].\n",
        ),
        (
            ["agent=basic,empathetic", "baselines=[basic,basic]"],
            "vcmp: baselines: 'basic' is asked for twice. Name each only once.\n",
        ),
        (
            ["agent=basic", "baselines=anchor"],
            "vcmp: baselines: takes a list. Write it in brackets, and quote it:"
            " 'baselines=[a,b]'\n",
        ),
        (
            ["agent=basic", "baselines=[null]"],
            "vcmp: baselines[0]: has to be a name, not null. Correct the value.\n",
        ),
        (
            ["agent=basic", "pool=maybe"],
            "vcmp: pool: 'maybe' is not true or false. Correct the value.\n",
        ),
        (
            ["agent=basic", "baselines=[previous,anchor]"],
            "vcmp: baseline=previous: no version of the tracking store has passed yet.\n"
            "  See which there are (vcmp versions), and name one: version:NAME\n",
        ),
    ],
)
def test_an_anchor_that_there_is_not_costs_nothing(
    project: Path, vcmp: Run, arguments: list[str], said: str
):
    done: subprocess.CompletedProcess[str] = vcmp(*arguments, "-m")

    assert (done.returncode, done.stderr) == (2, said)
    assert not [path for path in project.glob("outputs/2*") if path.is_dir()]


def test_no_baseline_is_no_anchor_either(project: Path, vcmp: Run):
    """baseline=null on the command line: compare with nothing."""
    done = vcmp("agent=basic", "baseline=null", "baselines=[previous,anchor]", "tracking=none",
                "gate=none", "dataset.limit=2")  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert (sweep_of(project)["baseline"], sweep_of(project)["anchors"]) == ("", [])


def test_words_that_versions_does_not_know_are_told(vcmp: Run):
    done = vcmp("versions", "pin")

    assert (done.returncode, done.stderr) == (
        2,
        "vcmp: versions pin: write `vcmp versions show NAME`, `pin NAME` or `unpin`\n",
    )
