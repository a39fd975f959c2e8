"""A 95th percentile of fewer than 300 cases is reported; it neither proves nor blocks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import vcmp
from tests.conftest import run_vcmp
from vcmp.cli import main
from vcmp.gates import AllOf, AnyOf, MaxRatio, NonInferiority

TAIL = MaxRatio("latency_s", stat="p95", max=1.2)
RIGHT = NonInferiority("right", margin=0.1)
NAME = "latency_s/p95 <= 1.20 x baseline"


def table(
    n: int, slower: float = 1.0, missing: int = 0, right: float = 1.0
) -> dict[str, list[Any]]:
    """Cases that take up to two seconds, times a factor; the slowest may have no value."""
    seconds = [1 + case / n for case in range(n)]
    measured = [*(slower * s for s in seconds[: n - missing]), *[None] * missing]
    return {
        "case_id": [f"c{case}" for case in range(n)] * 2,
        "scorer": ["latency_s"] * n + ["right"] * n,
        "baseline": [*seconds, *[1.0] * n],
        "candidate": [*measured, *[right] * n],
    }


def judge(scores: dict[str, list[Any]], *rules: Any, **keys: Any) -> dict[str, Any]:
    return vcmp.decide(scores, {"rules": list(rules), **keys})


@pytest.mark.parametrize(("right", "outcome"), [(1.0, "pass"), (0.0, "fail")])
@pytest.mark.parametrize("slower", [0.5, 1.0, 9.0])
def test_the_other_rules_decide(slower: float, right: float, outcome: str):
    """However slow the tail looks: so few cases tell nothing of it."""
    verdict = judge(table(299, slower, right=right), TAIL, RIGHT)

    tail, _ = verdict["findings"]
    assert verdict["verdict"] == outcome
    assert tail["report_only"] is True
    assert tail["observed"] == (
        f"{slower:.3f} x baseline over 299 cases, too few for a 95th percentile: "
        "reported only, it neither proves nor blocks"
    )


def test_from_300_cases_on_it_blocks():
    assert judge(table(300, 9.0), TAIL, RIGHT)["verdict"] == "fail"


def test_a_policy_of_nothing_else_decides_nothing():
    verdict = judge(table(299), TAIL)

    assert (verdict["verdict"], verdict["ship"], verdict["rollout"]) == ("inconclusive", None, 0.0)
    assert verdict["candidates"][0]["reason"].startswith(f"{NAME} is not decided: 1.000 x baseline")


@pytest.mark.parametrize("made", [AllOf, AnyOf])
def test_inside_of_another_rule_it_does_not_count_either(made: type):
    (both,) = judge(table(100, 9.0), made([TAIL, RIGHT]))["findings"]
    alone = judge(table(100), made([TAIL]))

    assert (both["outcome"], both["report_only"]) == ("pass", False)
    assert (alone["verdict"], alone["findings"][0]["report_only"]) == ("inconclusive", True)


def test_it_takes_no_share_of_alpha_from_the_rules_that_count():
    """A loss that is certain without it stays certain beside it."""

    def levels(*rules: Any) -> list[float]:
        seen: list[float] = []

        def watching(comparison: Any, policy: Any) -> vcmp.Finding:
            seen.append(policy.fail_level)
            return RIGHT(comparison, policy)

        judge(table(100), watching, *rules)
        return seen[-1:]

    assert levels(TAIL) == levels() == [0.05]


def test_an_early_look_waits_for_the_cases_that_will_make_it_count():
    """60 of 300 cases say little of the tail, and all of them will: no pass goes ahead of that."""
    fast = judge(table(300), TAIL, RIGHT, looks=5)
    slow = judge(table(300, 9.0), TAIL, RIGHT, looks=5)
    few = judge(table(250, 9.0), TAIL, RIGHT, looks=5)

    assert (fast["verdict"], fast["candidates"][0]["look"]) == ("pass", 5)
    assert (slow["verdict"], few["verdict"]) == ("fail", "pass")
    assert few["candidates"][0]["look"] < 5


def test_slow_cases_without_a_value_do_not_make_it_harmless():
    """20 of 310 cases timed out: 290 are left, and the tail is what is missing."""
    verdict = judge(table(310, missing=20), TAIL, RIGHT)

    assert verdict["verdict"] == "inconclusive"
    assert verdict["findings"][0]["report_only"] is False


def test_a_latency_that_nobody_measured_is_no_more_than_told():
    scores = {name: column[50:] for name, column in table(50).items()}
    tail, _ = judge(scores, TAIL, RIGHT)["findings"]

    assert tail["report_only"] is True
    assert tail["observed"] == (
        "latency_s was not measured; reported only, it neither proves nor blocks"
    )


def lines(scores: dict[str, list[Any]]) -> Sequence[str]:
    rows = zip(*scores.values(), strict=True)
    return [",".join(scores), *(",".join(map(str, row)) for row in rows)]


def test_the_screen_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("\n".join(lines(table(100, 9.0))), encoding="utf-8")
    Path("p.yaml").write_text(
        "rules:\n"
        "  - {_target_: vcmp.gates.NonInferiority, metric: right, margin: 0.1}\n"
        "  - {_target_: vcmp.gates.MaxRatio, metric: latency_s, stat: p95}\n",
        encoding="utf-8",
    )

    code = main(["gate", "--scores", "t.csv", "--policy", "p.yaml"])

    assert code == 0
    assert f"    report only   {NAME}   9.000 x baseline over 100 cases" in capsys.readouterr().out


def test_plan_says_it_of_the_sample_project(project: Path):
    """135 cases: the rule bars no pass, and has no share in the chance of a verdict."""
    gate = "# release, with a limit on the slowest\ndefaults: [release]\n\nrules:\n"
    gate += "  - {_target_: vcmp.gates.NonInferiority, metric: mentions_facts}\n"
    gate += "  - {_target_: vcmp.gates.MaxRatio, metric: latency_s, stat: p95}\n"
    (project / "conf/gate/tail.yaml").write_text(gate, encoding="utf-8")

    done = run_vcmp(project, "plan", "gate=tail", "provider=openai", "tracking=none")

    assert done.returncode == 0, done.stderr
    assert f"  report only  {NAME}: takes " in done.stdout
    assert f"%  {NAME}" not in done.stdout
    assert "chance of a verdict is" in done.stdout
