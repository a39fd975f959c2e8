"""Alerts: what screen and report say a candidate is worse in is in verdict.json, and nothing else
is on the screen."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import vcmp
from vcmp.cli import main
from vcmp.gates import AllOf, MaxRatio, NonInferiority, NoRegression, Threshold

N = 60


def values(metrics: dict[str, tuple[float, float]], **columns: list[str]) -> dict[str, list[Any]]:
    """A table of N cases; of each metric the share that the baseline and the candidate win."""
    rows = [
        (f"c{case}", name, float(case < before * N), float(case < after * N))
        for name, (before, after) in metrics.items()
        for case in range(N)
    ]
    table = dict(
        zip(
            ("case_id", "scorer", "baseline", "candidate"),
            map(list, zip(*rows, strict=True)),
            strict=True,
        )
    )
    return table | {name: column * len(metrics) for name, column in columns.items()}


def told(metrics: dict[str, tuple[float, float]], *rules: Any, **columns: list[str]):
    """Kind, metric and rule of each alert."""
    verdict = vcmp.decide(values(metrics, **columns), {"rules": list(rules)})
    return [(each["kind"], each["metric"], each["rule"]) for each in verdict["alerts"]]


SAME = {"right": (1.0, 1.0)}
RIGHT = NonInferiority("right", margin=0.1)


def test_a_score_that_fell_and_no_rule_is_about_is_an_alert():
    verdict = vcmp.decide(
        values({**SAME, "brief": (1.0, 0.5), "warm": (0.5, 1.0)}), {"rules": [RIGHT]}
    )

    (alert,) = verdict["alerts"]
    delta = verdict["candidates"][0]["deltas"]["brief"]
    assert alert == {
        "variant": "candidate",
        "metric": "brief",
        "tag": None,
        "kind": "unwatched",
        "estimate": -0.5,
        "ci95": delta["ci95"],
        "observed": "−0.500",
        "rule": None,
        "against": None,
    }
    assert (verdict["verdict"], verdict["alert"]) == ("pass", None)


def test_an_alert_of_a_rule_names_it():
    rule = "brief >= baseline - 0.05"

    assert told({**SAME, "brief": (1.0, 0.5)}, RIGHT, NonInferiority("brief")) == [
        ("critical", "brief", rule)
    ]


def test_every_loss_that_one_rule_finds_is_an_alert_of_its_own():
    """Else those beside the worst would be told as if no rule failed for them."""
    metrics = {"brief": (1.0, 0.5), "warm": (1.0, 0.3), "kind": (0.5, 0.5)}
    rule = "no certain loss of any score"

    assert told(metrics, NoRegression()) == [
        ("critical", "warm", rule),
        ("critical", "brief", rule),
    ]


def test_the_loss_of_a_tag_says_whose_it_is():
    tags = ["billing" if case < N / 2 else "shipping" for case in range(N)]
    verdict = vcmp.decide(
        values({"right": (1.0, 0.5)}, tag=tags), {"rules": [NoRegression(by="tag")]}
    )

    found = {(each["tag"], each["estimate"]) for each in verdict["alerts"]}
    assert found == {(None, -0.5), ("shipping", -1.0)}


def test_a_rule_inside_of_another_watches_its_metric():
    """The loss is that of the inner rule, not of the one that decided."""
    both = AllOf([RIGHT, NonInferiority("brief", margin=0.9)])

    (alert,) = told({**SAME, "brief": (1.0, 0.5)}, both)
    assert alert == ("loss", "brief", "all of (right >= baseline - 0.10; brief >= baseline - 0.90)")


@pytest.mark.parametrize("rule", [Threshold("brief", min=0.1), MaxRatio("brief", stat="total")])
def test_a_metric_that_a_rule_is_about_is_not_unwatched(rule: Any):
    assert told({**SAME, "brief": (1.0, 0.5)}, RIGHT, rule) == []


def test_nothing_is_told_that_is_not_certain():
    assert told({**SAME, "brief": (0.5, 0.48)}, RIGHT) == []


def test_of_a_rule_of_ones_own_its_finding_is_the_alert():
    def slower(_comparison: Any, _policy: Any) -> vcmp.Finding:
        return vcmp.Finding(
            rule="no slower",
            metric="pace",
            outcome="pass",
            observed="twice, as seen",
            alert="loss",
            estimate=2.0,
        )

    assert told(SAME, RIGHT, slower) == [("loss", "pace", "no slower")]


def test_the_screen_tells_the_alerts_of_verdict_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Through `vcmp gate`: a watched loss within its margin, and an unwatched one."""
    monkeypatch.chdir(tmp_path)
    table = values({**SAME, "brief": (1.0, 0.8), "warm": (1.0, 0.5)})
    rows = zip(*table.values(), strict=True)
    lines = [",".join(table), *(",".join(map(str, row)) for row in rows)]
    Path("t.csv").write_text("\n".join(lines), encoding="utf-8")
    Path("p.yaml").write_text(
        "rules:\n"
        "  - {_target_: vcmp.gates.NonInferiority, metric: right, margin: 0.1}\n"
        "  - {_target_: vcmp.gates.NonInferiority, metric: brief, margin: 0.4}\n",
        encoding="utf-8",
    )

    code = main(["gate", "--scores", "t.csv", "--policy", "p.yaml", "--out", "v.json"])

    shown = re.findall("alert: (.+)", capsys.readouterr().out)
    alerts = json.loads(Path("v.json").read_text(encoding="utf-8"))["alerts"]
    assert (code, [(each["kind"], each["metric"]) for each in alerts]) == (
        0,
        [("loss", "brief"), ("unwatched", "warm")],
    )
    assert shown == [
        "certainly worse than the baseline on brief (-0.200), within the margin",
        "worse than the baseline on warm (-0.500), and no rule fails for it",
    ]
