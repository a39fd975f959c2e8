"""The main job, as a newcomer runs it: two versions, no key, one report."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, git, make_project, place_store, run_vcmp


@pytest.fixture(scope="module")
def sweep(
    tmp_path_factory: pytest.TempPathFactory, new_store: Path
) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """A project in which the README's command ran once."""
    project = make_project(tmp_path_factory.mktemp("sweep"))
    place_store(new_store, project)
    return project, run_vcmp(project, "agent=empathetic,basic", "--multirun")


def folders(project: Path) -> list[Path]:
    return sorted(path for path in (project / "outputs").glob("2*") if path.is_dir())


def verdict(folder: Path) -> dict:
    return json.loads((folder / "verdict.json").read_text(encoding="utf-8"))


def test_exit_code_is_the_verdicts(sweep):
    project, done = sweep
    codes = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 4}

    assert done.returncode == codes[verdict(folders(project)[0])["verdict"]], done.stderr
    assert done.stderr == ""


def test_screen_says_first_who_answered(sweep):
    _, done = sweep

    assert done.stdout.splitlines()[0] == (
        "answered by: scripted demo, no language model was called"
    )


def test_screen_ends_with_the_report_and_the_versions(sweep):
    project, done = sweep
    sha = git(project, "rev-parse", "HEAD")[:8]

    report, names = done.stdout.splitlines()[-2:]

    assert (project / report.split()[1]).is_file()
    assert names == (
        f"versions  customer_support_agent-basic-git-{sha},"
        f" customer_support_agent-empathetic-git-{sha}"
    )


def test_report_shows_what_a_reviewer_needs(sweep):
    project, _ = sweep
    report = (folders(project)[0] / "report.md").read_text(encoding="utf-8")

    assert "no language model was called" in report
    assert "mentions_facts" in report
    assert "+You are a caring and empathetic customer support agent." in report  # the prompt's diff
    assert re.search(r"^\+.*temperature.*0\.7", report, re.MULTILINE)  # the config's diff
    assert "python -m vcmp agent=empathetic,basic --multirun" in report
    assert len(report) < 60_000


def test_every_promised_file_is_there(sweep):
    project, _ = sweep
    folder = folders(project)[0]
    n_cases = len((project / "conf/dataset/support.jsonl").read_text("utf-8").splitlines())

    assert (folder / "junit.xml").read_text("utf-8").startswith("<?xml")
    for number in ("0", "1"):
        rows = (folder / number / "results.jsonl").read_text("utf-8").splitlines()
        assert len(rows) == n_cases >= 120
        metrics = json.loads((folder / number / "evaluation.json").read_text("utf-8"))["metrics"]
        assert {"mentions_facts/mean", "error_rate", "output_tokens/mean"} <= metrics.keys()


def test_a_run_leaves_the_tree_clean(sweep):
    project, _ = sweep

    assert git(project, "status", "--porcelain") == ""
    assert not list(project.glob("mlruns")) + list(project.glob("*.db"))


def seen(folder: Path) -> list:
    """What was decided, and the numbers that decided it; not of how many results they are."""
    found = verdict(folder)
    numbers = [(f["rule"], f["outcome"], pytest.approx(f["estimate"])) for f in found["findings"]]
    return [found["verdict"], found["ship"], found["rollout"], found["alert"], numbers]


def test_second_run_gives_the_same_verdict_and_is_not_dirty(sweep):
    """The demo gives the same answers again, so pooling them with the first changes no number."""
    project, done = sweep
    again = run_vcmp(project, "agent=empathetic,basic", "--multirun")
    first, second = folders(project)[:2]

    assert again.returncode == done.returncode
    assert "dirty" not in again.stdout
    assert "pooled with 1 earlier run of the same version (2 repeats in all)" in again.stdout
    assert seen(first) == seen(second)


def test_verdict_json_has_the_alerts_of_screen_and_report(sweep):
    """Answers that grow longer are no rule's business in this gate, and still a reviewer's."""
    project, done = sweep
    folder = folders(project)[-1]

    alerts = verdict(folder)["alerts"]

    assert [(a["variant"], a["metric"], a["kind"], a["rule"]) for a in alerts] == [
        ("empathetic", "concise", "unwatched", None)
    ]
    seen_loss = f"{alerts[0]['estimate']:.3f}"
    assert f"worse than the baseline on concise ({seen_loss}), and no rule" in done.stdout
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert f"worse than the baseline on `concise` ({seen_loss.replace('-', '−')})" in report


def test_concluding_again_is_free_and_gives_the_same_bytes(sweep):
    project, done = sweep
    folder = folders(project)[0]
    before = (folder / "report.md").read_bytes()

    again = run_vcmp(project, "conclude", str(folder))

    assert again.returncode == done.returncode, again.stderr
    assert (folder / "report.md").read_bytes() == before


def test_another_gate_can_be_asked_later(sweep, tmp_path: Path):
    project, _ = sweep
    folder = shutil.copytree(folders(project)[0], tmp_path / "copy")

    done = run_vcmp(project, "conclude", str(folder), "gate=thresholds")

    assert done.returncode == 4, done.stdout + done.stderr  # nothing was judged in this sweep
    assert "relevance_to_query" in done.stdout


def test_recorded_versions_are_listed_and_ranked(sweep):
    project, _ = sweep

    listed = run_vcmp(project, "versions", "--by", "empathy")

    lines = [line for line in listed.stdout.splitlines() if "customer_support_agent" in line]
    assert listed.returncode == 0, listed.stderr
    assert "empathetic" in lines[0]
    assert "basic" in lines[-1]


def test_traces_of_a_version_are_analysed(sweep):
    project, _ = sweep
    sha = git(project, "rev-parse", "HEAD")[:8]

    shown = run_vcmp(project, "versions", "show", f"customer_support_agent-basic-git-{sha}")

    assert shown.returncode == 0, shown.stderr
    for word in ("traces", "error rate", "output tokens", "response length", "mentions_facts"):
        assert word in shown.stdout


def test_ui_command_names_the_store(sweep):
    project, _ = sweep

    shown = run_vcmp(project, "ui", "--print")

    assert shown.returncode == 0, shown.stderr
    assert f"sqlite:///{project}/outputs/mlflow.db" in shown.stdout


@pytest.mark.usefixtures("stored")
def test_four_variants_of_a_sweep_over_temperature(project: Path, vcmp: Run):
    done = vcmp(
        "agent=empathetic,basic", "agent.temperature=0.0,0.7", "repeats=3", "dataset.limit=12",
        "tracking=none", "--multirun",
    )  # fmt: skip
    (folder,) = folders(project)

    assert done.returncode in (0, 1, 3), done.stderr
    assert {c["variant"] for c in verdict(folder)["candidates"]} == {
        "basic-temperature_0_7", "empathetic-temperature_0_0", "empathetic-temperature_0_7",
    }  # fmt: skip
    assert (
        "\nbaseline  the first of 2 variants of 'basic' in this sweep; choose another with"
        " baseline=NAME\n"
    ) in done.stdout
    for number in range(4):
        assert len((folder / str(number) / "results.jsonl").read_text("utf-8").splitlines()) == 36


@pytest.mark.usefixtures("stored")
def test_single_run_is_compared_with_the_recorded_baseline(project: Path, vcmp: Run):
    first = vcmp("agent=basic", "dataset.limit=20")
    second = vcmp("agent=empathetic", "dataset.limit=20")

    assert first.returncode == 3, first.stderr  # 20 cases do not prove an error rate
    assert "has not been recorded yet" in first.stdout
    assert verdict(folders(project)[1])["candidates"][0]["variant"] == "empathetic"
    assert second.returncode in (0, 1, 3), second.stderr


@pytest.mark.usefixtures("stored")
def test_single_run_is_not_compared_with_a_baseline_on_other_cases(project: Path, vcmp: Run):
    vcmp("agent=basic", "dataset.limit=20")

    done = vcmp("agent=empathetic", "dataset.limit=21")

    assert done.returncode == 3, done.stderr
    assert (
        "note: baseline 'basic' was recorded only with other cases, scorers or answers,"
        " so nothing is compared"
    ) in done.stdout
    assert verdict(folders(project)[1])["baseline"] is None


@pytest.mark.parametrize("agent", ["plain", "orders", "responses", "concise", "traced"])
@pytest.mark.usefixtures("stored")
def test_every_kind_of_agent_works(project: Path, vcmp: Run, agent: str):
    done = vcmp(f"agent={agent},basic", "dataset.limit=8", "tracking=none", "-m")
    (folder,) = folders(project)

    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    for path in folder.glob("*/results.jsonl"):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert not [row["error"] for row in rows if row["error"]]
        assert all(row["usage"]["output_tokens"] for row in rows)


@pytest.mark.usefixtures("stored")
def test_judged_scorers_and_the_guides_policy_work_without_a_key(project: Path, vcmp: Run):
    done = vcmp("agent=empathetic,basic", "scorers=judged", "gate=thresholds", "dataset.limit=30",
                "tracking=none", "-m")  # fmt: skip
    (folder,) = folders(project)

    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "scripted judge" in (folder / "report.md").read_text("utf-8")
    rules = [f["metric"] for f in verdict(folder)["candidates"][0]["findings"]]
    assert rules == ["relevance_to_query", "support_guidelines", "support_guidelines"]


def test_nothing_slow_is_imported_to_show_or_refuse(project: Path):
    check = (
        "import sys; sys.path.insert(0, {root!r}); from vcmp.cli import main; main({arguments!r});"
        "slow = {{'mlflow', 'openai', 'scipy', 'pandas', 'numpy'}} & sys.modules.keys();"
        "sys.exit(f'imported {{slow}}' if slow else 0)"
    )
    for arguments in (["--help"], ["--cfg", "job"], ["repets=3"]):
        code = check.format(root=str(ROOT), arguments=arguments)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=project, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("stored")
def test_baseline_of_another_revision_is_evaluated_from_a_worktree(project: Path, vcmp: Run):
    """The question of a pull request: better than what main ships?"""
    git(project, "checkout", "-q", "-b", "warmer")
    text = (project / "conf/agent/basic.yaml").read_text("utf-8").replace("helpful", "caring")
    (project / "conf/agent/basic.yaml").write_text(text, "utf-8")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Be caring")
    main, head = (git(project, "rev-parse", ref)[:8] for ref in ("main", "HEAD"))

    done = vcmp("baseline=git:main", "dataset.limit=12", "tracking=none")

    assert done.returncode in (0, 1, 3), done.stderr
    (folder,) = folders(project)
    assert done.stdout.splitlines()[-1] == (
        f"versions  customer_support_agent-basic-git-{main},"
        f" customer_support_agent-basic-git-{head}"
    )
    report = (folder / "report.md").read_text("utf-8")
    assert "\n- prompt: You are a helpful customer support agent." in report
    assert "\n+ prompt: You are a caring customer support agent." in report
    assert "git:main, evaluated from a worktree" in report
    assert git(project, "worktree", "list").count("\n") == 1
    assert git(project, "status", "--porcelain") == ""
