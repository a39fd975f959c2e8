"""`vcmp selfcheck`: the gate raises no alarm about a version that is compared with itself."""

import itertools
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import evaluation
from tests.conftest import Run
from tests.openai_server import OpenAIServer
from vcmp import results, selfcheck
from vcmp.cli import main
from vcmp.errors import ConfigError, ResultsError
from vcmp.gates import (
    MaxRate,
    MaxRatio,
    NoFailures,
    NonInferiority,
    NoRegression,
    Policy,
    Rule,
    Superiority,
    Threshold,
)
from vcmp.selfcheck import SelfCheck
from vcmp.types import Finding

Scores = Mapping[str, Sequence[float | str]]


def policy(*rules: Rule, **more: Any) -> Policy:
    return Policy(name="test", rules=rules, **more)


def coins(n: int = 60, repeats: int = 8, p: float = 0.5, seed: int = 0) -> Scores:
    """A flaky agent: every run of every case is a coin."""
    dice = random.Random(seed)
    return {f"c{i}": [float(dice.random() < p) for _ in range(repeats)] for i in range(n)}


def steady(n: int = 60, repeats: int = 4) -> Scores:
    return {f"c{i}": [1.0] * repeats for i in range(n)}


def check(scores: Scores, *rules: Rule, n_splits: int = 100, **more: Any) -> SelfCheck:
    return selfcheck.check(evaluation(scores), policy(*rules, **more), n_splits)


def told(found: SelfCheck) -> list[str]:
    return list(selfcheck.tell(found))


def test_a_sound_gate_raises_no_more_false_alarms_than_alpha():
    found = check(coins(), NonInferiority(metric="polite"), n_splits=200)
    n = found.false_alarms.n

    assert not found.is_alarming
    assert found.false_alarms.value <= 0.10
    assert found.false_alarms.interval.low <= found.false_alarms.value
    assert sum(share.n for share in found.outcomes.values()) == 200
    assert any(
        line.startswith(f"of 200 comparisons of basic with itself {n} raised a false alarm (")
        for line in told(found)
    )


def test_few_alarms_are_told_as_what_they_are():
    found = check(coins(), NonInferiority(metric="polite", margin=0.5), n_splits=50)

    assert told(found)[-2:] == [
        "of 50 comparisons of basic with itself 0 raised a false alarm (0 %): the gate raises no"
        " more false alarms than its alpha of 5 %",
        "  next: nothing; the gate can be trusted on these cases and scorers",
    ]


def test_the_same_runs_give_the_same_numbers():
    rules = [NonInferiority(metric="polite"), NoRegression()]

    assert check(coins(), *rules, n_splits=20) == check(coins(), *rules, n_splits=20)


def test_a_rule_by_point_finds_gains_where_there_are_none():
    """The policy of MLflow's guide calls every other unchanged agent an improvement."""
    found = check(coins(), Superiority(metric="polite", evidence="point"))

    assert found.false_gains is not None
    assert found.false_gains.value == pytest.approx(0.45, abs=0.15)
    assert found.false_alarms.n == 0  # equal versions are not better: that is no alarm
    assert found.is_alarming
    n, share = found.false_gains.n, f"{100 * found.false_gains.value:g} %"
    assert told(found)[-2:] == [
        f"of 100 comparisons of basic with itself {n} found a gain where there is none ({share}):"
        " the gate finds more gains than its alpha of 5 %",
        "  next: a rule decides on the numbers as seen; give it evidence: bound",
    ]


def test_a_threshold_by_point_at_the_agents_own_level_tosses_a_coin():
    found = check(coins(p=0.8, seed=3), Threshold(metric="polite", min=0.79, evidence="point"))

    assert found.is_alarming
    assert found.rules[0].n == found.false_alarms.n
    assert "the gate raises more false alarms than its alpha of 5 %" in told(found)[-2]
    assert told(found)[-1] == (
        "  next: polite >= 0.79 decides on the numbers as seen; give it evidence: bound"
    )


@dataclass(frozen=True)
class Nervous:
    """A project's own rule, which fails whenever anything is lost, and reads the answers."""

    def __call__(self, comparison: Any, policy: Policy) -> Finding:
        assert all(result.output for result in comparison.candidate.results)
        lost = comparison.deltas["polite"].difference < 0
        return Finding(
            rule="no loss", metric="polite", outcome="fail" if lost else "pass", observed="seen"
        )


def test_a_nervous_gate_is_caught_and_told_what_to_do():
    found = check(coins(), Nervous())

    assert found.is_alarming
    assert told(found)[-1] == (
        f"  next: no loss raised {found.false_alarms.n} of them; give cases that belong together"
        " one cluster, and until it is mended set gate.alpha=0.025"
    )


def test_alarms_above_alpha_by_chance_are_not_called_too_many():
    found = check(coins(), Nervous(), n_splits=5, alpha=0.3)
    few = replace(found, false_alarms=replace(found.false_alarms, n=2))

    assert not few.is_alarming
    assert told(few)[-2] == (
        "of 5 comparisons of basic with itself 2 raised a false alarm (40 %): the gate does not"
        " certainly raise more false alarms than its alpha of 30 %"
    )


def test_a_version_that_fails_a_rule_by_itself_is_no_false_alarm():
    found = check(coins(p=0.3), Threshold(metric="polite", min=0.9), NoRegression(), n_splits=40)

    assert found.outcomes["fail"].n == 40
    assert found.false_alarms.n == found.alerts.n < 10
    assert found.lost == ("polite >= 0.90",)
    assert ("note: basic does not hold polite >= 0.90 by itself, which is no false alarm") in told(
        found
    )


def test_an_agent_that_never_varies_raises_no_alarm_and_is_told_so():
    found = check(steady(), NonInferiority(metric="polite"), n_splits=20)

    assert found.is_still
    assert found.outcomes["pass"].n + found.outcomes["inconclusive"].n == 20
    assert told(found)[-3] == (
        "note: every repeat scored the same, so nothing here can raise a false alarm: every"
        " comparison passes or is inconclusive"
    )


def test_flaky_cases_are_named_worst_first():
    scores = {**steady(10), "odd": [1.0, 1.0, 0.5, 1.0], "coin": [0.0, 1.0, 0.0, 1.0]}
    found = check(scores, NoRegression(), n_splits=5)

    (polite, error) = found.flakiness
    assert (polite.n, polite.n_cases) == (2, 12)
    assert polite.worst == (("coin", 0.0, 1.0), ("odd", 0.5, 1.0))
    assert error.n == 0
    assert (
        "  polite scores differently in repeats on 2 of 12 cases: coin (0.00 to 1.00), odd (0.50"
        " to 1.00)"
    ) in told(found)


def test_an_agent_that_fails_now_and_then_is_flaky():
    scores = {**steady(10), "torn": [1.0, "timeout", 1.0, 1.0]}
    found = check(scores, MaxRate(metric="error_rate", max=0.5), n_splits=5)

    assert "  the agent fails in some repeats on 1 of 11 cases: torn (0.00 to 1.00)" in told(found)


def test_inconclusive_checks_lead_to_plan():
    found = check(coins(12), NonInferiority(metric="polite", margin=0.01), n_splits=20)

    assert told(found)[-1] == (
        "  next: few of them were decided; `vcmp plan` says how many cases or repeats would decide"
    )


def test_what_these_runs_do_not_tell_is_not_asked():
    """A pairwise judge compares outputs, which would cost money here."""
    found = check(steady(), NoRegression(), NonInferiority(metric="preferred"), n_splits=5)

    assert found.skipped == ("preferred",)
    assert "note: not asked about preferred, of which these runs have no value" in told(found)


def test_planned_looks_are_part_of_the_check():
    rules = [NonInferiority(metric="polite", margin=0.4)]

    found = check(coins(), *rules, n_splits=20, looks=3)

    assert found.outcomes["pass"].n + found.outcomes["inconclusive"].n >= 18


def test_latency_is_compared_too():
    found = check(steady(), MaxRatio(metric="latency_s", stat="gmr"), n_splits=5)

    assert found.outcomes["pass"].n == 5


def test_halves_are_disjoint_and_equal():
    """The first half of a case's repeats and the second never share one; an odd one is left out."""
    seen: list[tuple[int, int]] = []

    @dataclass(frozen=True)
    class Spy:
        def __call__(self, comparison: Any, policy: Policy) -> Finding:
            sides = comparison.baseline, comparison.candidate
            before, after = ({(r.case_id, r.repeat) for r in side.results} for side in sides)
            seen.append((len(before), len(before & after)))
            return Finding(rule="spy", metric="", outcome="pass", observed="")

    check(coins(10, repeats=5), Spy(), n_splits=3)

    assert seen[1:] == [(20, 0)] * 3


def test_the_document_has_what_the_screen_says():
    found = check(coins(), NonInferiority(metric="polite"), Superiority(metric="polite"))
    document = selfcheck.document(found)

    assert json.loads(json.dumps(document)) == document
    assert document["splits"] == 100
    assert document["shares"]["false_alarm"]["n"] == found.false_alarms.n
    low, high = document["shares"]["false_gain"]["ci95"]
    assert 0 <= low <= document["shares"]["false_gain"]["share"] <= high <= 1
    assert document["flakiness"]["polite"]["differ"] == found.flakiness[0].n


def test_one_repeat_cannot_be_split():
    with pytest.raises(ResultsError) as error:
        check({"a": [1.0], "b": [0.0]}, NoRegression())

    assert str(error.value) == (
        "app-basic-git-a41e0d70 has one result a case, and a check of the gate compares repeats.\n"
        "  Evaluate it with more: vcmp selfcheck repeats=8"
    )


def test_a_gate_without_rules_cannot_be_checked():
    with pytest.raises(ConfigError) as error:
        check(steady())

    assert str(error.value) == (
        "gate=test: has no rule that these runs could fail. Choose another: gate=…"
    )


def test_agent_errors_count_as_the_worst_score():
    scores = {**steady(40), **{f"t{i}": ["down", 1.0, "down", 1.0] for i in range(20)}}
    found = check(scores, NonInferiority(metric="polite"), NoFailures(), n_splits=20)

    assert found.flakiness[0].n == 20
    assert found.lost == ("no case fails",)


@pytest.mark.usefixtures("stored")
def test_a_real_agent_is_checked_recorded_and_then_planned_with(project: Path, vcmp: Run):
    """What the check has paid for tells `vcmp plan` how much the agent varies."""
    said = itertools.count()

    def answer(messages: Any, body: dict[str, Any]) -> str:
        return "Your order is on its way." if next(said) % 7 else "Please wait."

    lines = [
        json.dumps({"id": f"q{n}", "inputs": {"question": f"Where is order {n}?"},
                    "expectations": {"expected_facts": ["order"]}})
        for n in range(60)
    ]  # fmt: skip
    gate = "rules: [{_target_: vcmp.gates.Superiority, metric: mentions_facts, evidence: point}]"
    (project / "conf/gate/lucky.yaml").write_text(gate, encoding="utf-8")
    (project / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with OpenAIServer(answer) as server:
        chosen = ["provider=compatible", f"provider.base_url={server.base_url}",
                  "dataset.path=cases.jsonl"]  # fmt: skip
        done = vcmp("selfcheck", *chosen, "repeats=4", "--splits", "50")
        n_sent = len(server.requests)
        planned = vcmp("plan", *chosen, "agent=empathetic,basic", "-m")
    (folder,) = (path for path in (project / "outputs").glob("2*") if path.is_dir())
    document = json.loads((folder / "selfcheck.json").read_text(encoding="utf-8"))
    again = vcmp("selfcheck", str(folder), "gate=lucky", "--splits", "40")

    assert done.returncode == 0, done.stdout + done.stderr
    assert n_sent == len(server.requests) == 60 * 4
    names = {"report.md", "verdict.json", "junit.xml", "sweep.json", "selfcheck.json", "0"}
    assert names <= {path.name for path in folder.iterdir()}
    assert document["repeats"] == 4
    assert document["flakiness"]["mentions_facts"]["differ"] > 5
    last = done.stdout.splitlines()[-1]
    assert last == f"selfcheck  {folder.relative_to(project)}/selfcheck.json"
    assert (
        "basic against itself: 50 comparisons of 2 repeats with 2 others, 60 cases" in done.stdout
    )
    assert planned.returncode == 0, planned.stderr
    assert re.search(
        r"^scores as in the 4 recorded repeats of customer_support_agent-basic-git-\S+:"
        r" \d+ % of the cases flip$",
        planned.stdout,
        re.MULTILINE,
    )
    assert re.search(
        r"^if nothing changed, the chance of a verdict is \d+ %; about [\d,]+ cases,"
        r" or repeats=\d+, would make it 80 %$",
        planned.stdout,
        re.MULTILINE,
    )
    assert again.returncode == 1, again.stdout + again.stderr
    assert "found a gain where there is none" in again.stdout


def sweep(folder: Path, scores: Scores) -> Path:
    """The files of a sweep of one version."""
    rule = {"_target_": "vcmp.gates.NoRegression", "metric": "polite"}
    gate = {"rules": [rule], "alpha": 0.05, "primary": []}
    results.save(evaluation(scores), folder / "0")
    results.save_record(results.SweepRecord(gate="mild", policy=gate, jobs=("0",)), folder)
    return folder


def test_the_folder_of_a_sweep_with_repeats_is_checked_for_free(tmp_path: Path, capsys: Any):
    code = main(["selfcheck", str(sweep(tmp_path, coins(20))), "--splits", "10"])

    document = json.loads((tmp_path / "selfcheck.json").read_text(encoding="utf-8"))
    assert code == 0
    assert (document["gate"], document["splits"], document["repeats"]) == ("mild", 10, 8)
    assert "10 comparisons of 4 repeats with 4 others, 20 cases" in capsys.readouterr().out


def test_a_sweep_that_a_look_ended_is_checked_on_the_cases_that_it_asked(
    tmp_path: Path, capsys: Any
):
    folder, asked = sweep(tmp_path, coins(20)), {f"c{number}": 8 for number in range(12)}
    made = results.load(folder / "0")
    rows = tuple(row for row in made.results if row.case_id in asked)
    results.save(replace(made, results=rows, asked=asked), folder / "0")

    code = main(["selfcheck", str(folder), "--splits", "10"])

    assert code == 0
    assert "10 comparisons of 4 repeats with 4 others, 12 cases" in capsys.readouterr().out


def test_a_folder_without_repeats_is_refused(tmp_path: Path, capsys: Any):
    code = main(["selfcheck", str(sweep(tmp_path, {"a": [1.0], "b": [0.0]}))])

    assert code == 2
    assert capsys.readouterr().err == (
        f"vcmp: {tmp_path}: every case was run once, and a check of the gate compares repeats.\n"
        "  Evaluate the baseline with some: vcmp selfcheck repeats=8\n"
    )


def test_no_comparisons_are_refused(capsys: Any):
    assert main(["selfcheck", "--splits", "0"]) == 2
    assert capsys.readouterr().err == ("vcmp: --splits 0 compares nothing. Give it 1 or more.\n")


def test_one_repeat_is_refused_before_anything_is_sent(project: Path, vcmp: Run):
    done = vcmp("selfcheck", "repeats=1", "tracking=none")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "vcmp: repeats=1: a check of the gate compares the repeats of a case with each other."
        " Give it 2 or more: repeats=8\n"
    )
    assert not (project / "outputs").exists()
