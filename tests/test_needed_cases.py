"""How many cases it takes: plan, advice, next step and verdict.json tell one number."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import vcmp
from tests.conftest import Run
from vcmp import decisions, reports
from vcmp.cli import main
from vcmp.gates import MaxRate, MaxRatio, Superiority
from vcmp.policies import load_policy


def table(n: int, size: int = 1) -> dict[str, list[Any]]:
    """Cases without an error, in clusters of a size; the last may be smaller."""
    return {
        "case_id": [f"c{case}" for case in range(n)],
        "cluster": [f"k{case // size}" for case in range(n)],
        "scorer": ["error"] * n,
        "baseline": [0] * n,
        "candidate": [0] * n,
    }


def finding(n: int, size: int, limit: float, **keys: Any) -> dict[str, Any]:
    policy = {"rules": [MaxRate("error_rate", limit)], **keys}
    (found,) = vcmp.decide(table(n, size), policy)["findings"]
    return found


@pytest.mark.parametrize("looks", [1, 5])
@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("limit", [0.01, 0.05])
def test_so_many_cases_are_needed_and_one_cluster_less_is_not_enough(
    limit: float, size: int, looks: int
):
    """The count is the gate's own: at that number it passes, whatever the clusters."""
    found = finding(30, size, limit, looks=looks)

    needed = found["needed_cases"]
    in_clusters = -(-needed // size) * size
    assert (found["outcome"], f"{needed:,} cases" in found["advice"]) == ("inconclusive", True)
    assert finding(in_clusters, size, limit, looks=looks)["outcome"] == "pass"
    assert finding(in_clusters - size, size, limit, looks=looks)["outcome"] == "inconclusive"


def test_the_advice_tells_the_clusters():
    assert finding(100, 10, 0.05)["advice"] == (
        "0 errors prove below 5 % only from 203 cases in 21 clusters like these: add 103."
    )


def test_the_next_step_asks_for_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    columns = table(100, 10)
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    Path("t.csv").write_text("\n".join(lines), encoding="utf-8")
    rule = "rules: [{_target_: vcmp.gates.MaxRate, metric: error_rate, max: 0.05}]"
    Path("p.yaml").write_text(rule, encoding="utf-8")

    code = main(["gate", "--scores", "t.csv", "--policy", "p.yaml", "--out", "v.json"])

    verdict = json.loads(Path("v.json").read_text(encoding="utf-8"))
    assert (code, verdict["findings"][0]["needed_cases"]) == (3, 203)
    assert "  next: add 103 cases to t (203 in all)\n" in capsys.readouterr().out


def test_a_rule_that_cases_cannot_settle_is_told_before_the_cases_for_the_others():
    """Two equal versions: no number of cases shows that one of them is better."""
    columns = {name: column * 2 for name, column in table(100).items()}
    columns["scorer"][100:] = ["right"] * 100
    columns["baseline"][100:] = columns["candidate"][100:] = [0, 1] * 50
    policy = load_policy({"rules": [MaxRate("error_rate", 0.01), Superiority("right")]})
    console = Console(file=io.StringIO(), width=300)

    reports.screen(decisions.conclude(columns, policy), console)

    assert (
        "  next: for right > baseline: more cases will not decide this: the truth seems to lie on "
        "the limit itself; then add 199 cases to scores (299 in all)\n"
        "        That decides the rest in 4 of 5 runs if it goes on like this.\n"
    ) in console.file.getvalue()


def test_plan_tells_the_number_that_the_run_tells(vcmp: Run, project: Path):
    """The sample's cases are clustered, and 20 of them are too few."""
    planned = vcmp("plan", "dataset.limit=20", "tracking=none")
    done = vcmp("dataset.limit=20", "tracking=none", "agent=basic", "baseline=null")

    takes = re.search(r"error_rate <= 0\.05 takes (\d+) cases in (\d+) clusters", planned.stderr)
    (folder,) = (project / "outputs").glob("2*")
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert takes, planned.stderr
    assert (planned.returncode, done.returncode) == (2, 3)
    assert verdict["findings"][-1]["needed_cases"] == int(takes[1])
    assert f"({int(takes[1])} in all)" in done.stdout
    assert (
        f"only from {takes[1]} cases in {takes[2]} clusters like these"
        in (verdict["findings"][-1]["advice"])
    )


def right(gained: int, lost: int, n: int = 150) -> dict[str, list[Any]]:
    """Yes or no, of which the candidate gained some and lost some."""
    return {
        "case_id": [f"c{case}" for case in range(n)],
        "scorer": ["right"] * n,
        "baseline": [1] * lost + [0] * (n - lost),
        "candidate": [0] * lost + [1] * gained + [0] * (n - lost - gained),
    }


def shown(columns: dict[str, list[Any]], *rules: object) -> str:
    console = Console(file=io.StringIO(), width=300)
    reports.screen(decisions.conclude(columns, load_policy({"rules": list(rules)})), console)
    return console.file.getvalue()


def test_cases_for_a_gain_do_not_suppose_that_there_is_none():
    """Equal versions never pass `Superiority`: only a gain that goes on does."""
    assert (
        "  next: add 223 cases to scores (373 in all)\n"
        "        That decides in 4 of 5 runs if it goes on like this. "
    ) in shown(right(21, 12), Superiority("right"))


def test_cases_for_a_ratio_suppose_that_it_is_1():
    """The advice and the next step say the same."""
    columns = right(0, 0, 40)
    columns["scorer"] = ["latency_s"] * 40
    columns["baseline"] = [1, 2, 3, 4] * 10
    columns["candidate"] = [4, 1, 4, 1] * 10
    rule = MaxRatio("latency_s", stat="total")

    assert "if the versions are equally good." in shown(columns, rule)
