"""`vcmp plan`: what a policy can reach is said before anything is paid for."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, pvariance
from typing import Any

import pytest
from rich.console import Console

from tests.builders import OPENAI, SCRIPTED, evaluation, version
from tests.conftest import Run
from vcmp import prospects
from vcmp.errors import ConfigError
from vcmp.gates import (
    AllOf,
    AnyOf,
    MaxRate,
    MaxRatio,
    NoFailures,
    NonInferiority,
    NoRegression,
    Policy,
    Superiority,
    Threshold,
)
from vcmp.judges import Correctness, Guidelines, Prefer, RelevanceToQuery
from vcmp.pipeline import Sweep
from vcmp.prospects import Occasion
from vcmp.rehearsal import runs_of
from vcmp.results import SweepRecord
from vcmp.scorers import adapt, card_of
from vcmp.types import Answerer, Case, Dataset, Finding, Limits, Plan, ScorerCard
from vcmp.verbs.plan import show

RELEASE = (NonInferiority(metric="polite"), MaxRate(metric="error_rate", max=0.05))


def cases(n: int, n_clusters: int = 0) -> tuple[Case, ...]:
    """With clusters, the cases are dealt out to them in turn."""
    return tuple(
        Case(id=f"c{i}", inputs={}, cluster=f"k{i % n_clusters}" if n_clusters else "")
        for i in range(n)
    )


def occasion(
    n: int, *rules: Any, n_clusters: int = 0, answerer: Answerer = OPENAI, **more: Any
) -> Occasion:
    keys = ("looks", "alpha", "select", "missing_limit")
    policy = Policy(name="test", rules=rules, **{k: more.pop(k) for k in keys if k in more})
    scorers = {name: ScorerCard(digest=name) for name in ("polite", "right")}
    settings = {"scorers": scorers, "pairwise": (), "n_candidates": 1, **more}
    return Occasion(policy=policy, cases=cases(n, n_clusters), answerer=answerer, **settings)


def why(asked: Occasion) -> str:
    return prospects.barred(prospects.reaches(asked), asked)


def test_a_rate_that_so_few_cases_cannot_prove_is_told_with_the_number_that_can():
    assert why(occasion(20, *RELEASE)) == (
        "this policy cannot pass with 20 cases: error_rate <= 0.05 takes 59"
    )
    assert why(occasion(58, *RELEASE)) != ""
    assert why(occasion(59, *RELEASE)) == ""


def test_a_threshold_near_perfection_is_out_of_reach_of_30_cases():
    text = why(occasion(30, Threshold(metric="polite", min=0.95)))

    found = re.fullmatch(
        r"this policy cannot pass with 30 cases: polite >= 0\.95 takes (\d+)", text
    )
    assert found
    least = int(found[1])
    assert why(occasion(least, Threshold(metric="polite", min=0.95))) == ""
    assert why(occasion(least - 1, Threshold(metric="polite", min=0.95))) != ""


def test_a_95th_percentile_takes_300_cases():
    asked = occasion(290, MaxRatio(metric="latency_s", stat="p95"))

    assert why(asked) == (
        "this policy cannot pass with 290 cases: latency_s/p95 <= 1.20 x baseline takes 300"
    )


def test_nothing_passes_on_three_cases_or_two_clusters():
    few = why(occasion(3, *RELEASE))
    clustered = why(occasion(100, *RELEASE, n_clusters=2))

    assert few.startswith("this policy cannot pass with 3 cases: polite >= baseline - 0.05 takes ")
    assert few.endswith("; error_rate <= 0.05 takes 59")
    assert clustered.startswith(
        "this policy cannot pass with 100 cases in 2 clusters: polite >= baseline - 0.05 takes "
    )
    assert clustered.endswith(" clusters like these")


@pytest.mark.parametrize(
    "rule",
    [
        NonInferiority(metric="polite"),
        NonInferiority(metric="polite", margin=0.001),
        NonInferiority(metric="polite", direction="lower"),
        NonInferiority(metric="latency_s", margin=0.5),
        Superiority(metric="polite"),
        Superiority(metric="polite", evidence="point"),
        Superiority(metric="error_rate"),
        Threshold(metric="polite", min=0.4, max=0.6),
        Threshold(metric="polite", max=0.1),
        Threshold(metric="latency_s/p95", max=2.0, evidence="point"),
        MaxRate(metric="polite", max=0.05),
        MaxRatio(metric="output_tokens", stat="total", max=0.01),
        MaxRatio(metric="latency_s", stat="p50"),
        NoRegression(),
        NoRegression(by="tag"),
        NoFailures(),
        AllOf([Threshold(metric="polite", max=0.1), Superiority(metric="right"), NoRegression()]),
        AnyOf([Threshold(metric="polite", min=0.999), Superiority(metric="right")]),
    ],
    ids=str,
)
def test_what_a_hundred_perfect_cases_can_prove_is_within_reach(rule):
    """Whatever a rule wants, high or low or between, there are results that give it."""
    assert why(occasion(100, rule)) == ""


def test_several_candidates_and_looks_take_more():
    """They share alpha, or spend it: the levels are those that the gate itself will use."""

    def takes(text: str) -> int:
        return int(text.rpartition(" takes ")[2])

    one = takes(why(occasion(20, *RELEASE)))

    assert takes(why(occasion(20, *RELEASE, n_candidates=3))) > one
    assert takes(why(occasion(20, *RELEASE, looks=5))) > one


def test_a_metric_that_nothing_gives_is_told_with_the_nearest():
    assert why(occasion(100, Threshold(metric="polit", min=0.5), NoFailures())) == (
        "this policy cannot pass: polit >= 0.50: no scorer is called 'polit'."
        " Did you mean 'polite'?"
    )


def test_of_several_rules_without_a_metric_one_is_told():
    rules = [Threshold(metric=name, min=0.5) for name in ("warm", "brief", "kind")]

    assert why(occasion(20, RELEASE[1], *rules)) == (
        "this policy cannot pass with 20 cases: error_rate <= 0.05 takes 59;"
        " warm >= 0.50: no scorer is called 'warm'; 2 more cannot either"
    )


def test_latency_is_out_of_reach_of_the_demo():
    assert why(occasion(100, MaxRatio(metric="latency_s"), answerer=SCRIPTED)) == (
        "this policy cannot pass: latency_s/p50 <= 1.20 x baseline: latency_s is not measured where"
        " no language model is called"
    )


def test_alone_a_version_is_held_to_the_rules_about_itself():
    asked = occasion(3, NonInferiority(metric="polite"), NoFailures(), alone=True)

    assert [each.rule for each in prospects.reaches(asked)] == ["no case fails"]
    assert why(asked) == ""


@dataclass(frozen=True)
class ReadsAnswers:
    """A project's own rule, which looks at what only a run can show."""

    metric: str = "polite"

    def __call__(self, comparison: Any, policy: Policy) -> Finding:
        return Finding(
            rule="answers",
            metric="",
            outcome="pass",
            observed=comparison.candidate.results[0].output,
        )


def test_what_a_rule_of_the_projects_own_says_is_not_guessed():
    (found,) = prospects.reaches(occasion(3, ReadsAnswers()))

    assert (found.rule, found.passes) == ("ReadsAnswers", None)
    assert occasion(3, ReadsAnswers(), NoFailures()).known().policy.rules == (NoFailures(),)


def chance(asked: Occasion, flips: float = 0.1) -> prospects.Chance:
    (found,) = prospects.chances(asked, [prospects.assumed(asked, flips)])
    return found


def test_the_chance_of_a_verdict_falls_with_flips_and_rises_with_cases_and_repeats():
    small, large = occasion(60, RELEASE[0]), occasion(160, RELEASE[0])
    repeated = replace(small, repeats=8)

    assert chance(small, 0.2).decided < chance(small, 0.02).decided
    assert chance(small).decided < chance(large).decided
    assert chance(small).decided < chance(repeated).decided


def test_the_same_question_has_the_same_answer():
    assert chance(occasion(20, RELEASE[0])) == chance(occasion(20, RELEASE[0]))


def test_an_unchanged_agent_fails_no_more_often_than_alpha():
    """Simulated through the real gate, a failure is a false alarm."""
    assert chance(occasion(60, RELEASE[0]), 0.1).failed <= 0.10


def test_the_rule_that_decides_least_is_seen():
    found = dict(chance(occasion(60, *RELEASE), 0.2).rules)

    assert found["error_rate <= 0.05"] == 1.0
    assert found["polite >= baseline - 0.05"] < 0.8


def test_advised_cases_and_repeats_make_a_verdict_likely():
    asked = occasion(60, RELEASE[0])
    world = prospects.assumed(asked, 0.1)

    n_cases = prospects.needed_cases(asked, world)
    repeats = prospects.needed_repeats(asked, world)

    assert chance(asked, 0.1).decided < 0.75
    assert n_cases is not None
    assert n_cases > 60
    assert chance(occasion(n_cases, RELEASE[0]), 0.1).decided >= 0.65
    assert repeats is not None
    assert chance(replace(asked, repeats=repeats), 0.1).decided >= 0.65


def test_where_nothing_helps_nothing_is_advised():
    """A rule that wants a gain never sees one between equal versions."""
    asked = occasion(40, Superiority(metric="polite"))
    world = prospects.assumed(asked, 0.0)

    assert prospects.needed_cases(asked, world) is None
    assert prospects.needed_repeats(asked, world) is None


def test_planned_looks_and_anchors_are_rehearsed():
    looks = chance(occasion(150, RELEASE[0], looks=3), 0.02)
    anchored = chance(occasion(60, RELEASE[0], n_anchors=2), 0.1)

    assert looks.n_cases < 150
    assert anchored.decided <= chance(occasion(60, RELEASE[0]), 0.1).decided


def test_a_pairwise_judge_is_rehearsed_against_ties():
    rule = NonInferiority(metric="preferred", margin=0.1)
    card = {"preferred": ScorerCard(digest="", judge=True)}
    asked = occasion(200, rule, scorers=card, pairwise=("preferred",))

    assert why(asked) == ""
    assert chance(asked, 0.05).passed > 0.9


def test_versions_alone_are_rehearsed_alone():
    asked = occasion(100, Threshold(metric="polite", min=0.5), *RELEASE, alone=True)

    assert chance(asked).passed > 0.9


@pytest.mark.parametrize("repeats", [1, 2, 3])
@pytest.mark.parametrize("recorded", [2, 4, 5])
def test_recorded_repeats_vary_in_a_rehearsal_as_they_did(recorded: int, repeats: int):
    """Drawn with replacement from few runs they would vary less, and promise too much."""
    dice = random.Random(1)
    scores = {f"c{i}": [float(dice.random() < 0.5) for _ in range(recorded)] for i in range(400)}
    asked = occasion(400, RELEASE[0])
    runs = runs_of(evaluation(scores))
    world = prospects.recorded(runs, asked, 0.0)

    differences = []
    for number in range(10):
        before, after = (
            arm.values["polite"] for arm in world.draw(1, repeats, random.Random(number))
        )
        differences += [fmean(after[c]) - fmean(before[c]) for c in before]

    assert pvariance(differences) == pytest.approx(2 * 0.25 / repeats, rel=0.12)


def test_flips_are_counted_without_bias():
    """Of two runs of a coin half differ, whatever their number."""
    for recorded in (2, 3, 6):
        dice = random.Random(recorded)
        scores = {
            f"c{i}": [float(dice.random() < 0.5) for _ in range(recorded)] for i in range(900)
        }
        assert prospects.flips_of(runs_of(evaluation(scores)), ["polite"]) == pytest.approx(
            0.5, abs=0.05
        )


def test_a_single_recorded_run_tells_the_level_and_flips_are_assumed():
    scores = {f"c{i}": float(i % 10 != 0) for i in range(100)}
    asked = occasion(100, *RELEASE)
    runs = runs_of(evaluation(scores))

    arms = prospects.recorded(runs, asked, 0.1).draw(1, 1, random.Random(0))
    means = [fmean(values[0] for values in arm.values["polite"].values()) for arm in arms]

    assert not prospects.is_repeated(runs)
    assert means == pytest.approx([0.9, 0.9], abs=0.12)
    assert arms[0].values["polite"] != arms[1].values["polite"]


def judged_plan(dataset: Dataset, **more: Any) -> Plan:
    judges = {
        "relevant": RelevanceToQuery(),
        "guided": Guidelines(guidelines=["Be kind.", "Be brief."]),
        "correct": Correctness(),
        "rude": lambda case, output: 1.0,
    }
    return Plan(
        version=version(),
        agent=lambda: "",
        dataset=dataset,
        scorers={name: adapt(judge) for name, judge in judges.items()},
        cards={name: card_of(judge) for name, judge in judges.items()},
        answerer=OPENAI,
        **more,
    )


def test_judge_calls_are_counted_by_rule_fact_and_order():
    facts = [["a", "b", "c"], ["a"]]
    made = tuple(
        Case(id=str(n), inputs={}, expectations={"expected_facts": f}) for n, f in enumerate(facts)
    )
    plan = judged_plan(
        Dataset(name="d", cases=made), repeats=3, pairwise={"preferred": Prefer(criterion="Best.")}
    )

    assert prospects.agent_calls([plan, plan]) == 2 * 2 * 3
    assert prospects.judge_calls([plan, plan], n_candidates=1) == {
        "relevant": 12 + 1, "guided": 24 + 2, "correct": 2 * 3 * 4 + 3, "preferred": 2 * 2 * 3 + 2,
    }  # fmt: skip


def test_many_clusters_are_not_worth_the_wait_before_a_run():
    """The note on a run costs the import of the statistics, which few cases are worth."""
    policy = Policy(name="test", rules=(MaxRate(metric="error_rate", max=0.001),))

    def warn(n: int) -> str:
        plan = judged_plan(Dataset(name="d", cases=cases(n)))
        return prospects.warning([plan], policy, "basic")

    assert warn(300) == ("this policy cannot pass with 300 cases: error_rate <= 0.001 takes 2,995")
    assert warn(400) == ""


def lines(text: str) -> Sequence[str]:
    return text.splitlines()


def test_plan_of_a_sweep_sends_nothing_and_leaves_nothing(project: Path, vcmp: Run):
    """No key is set, and OpenAI's address is not reached."""
    before = sorted(path for path in project.rglob("*") if "__pycache__" not in path.parts)

    done = vcmp("plan", "agent=empathetic,basic", "provider=openai", "scorers=judged", "-m")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = lines(done.stdout)
    assert told[:2] == [
        "nothing is sent; it would be answered by: OpenAI API at api.openai.com",
        "2 versions × 135 cases in 42 clusters × 1 repeat = 270 agent calls at least",
    ]
    assert re.fullmatch(
        r"1,\d{3} judge calls at least: relevance_to_query 271, support_guidelines 1,084,"
        r" correctness \d+, \d+ of them about a known-bad answer",
        told[2],
    )
    assert re.match(
        r"[\d,]+ tokens if each case makes one call, with answers as long as may be: \$\d", told[3]
    )
    assert told[5:8] == [
        "gate release, 2 rules",
        "  can pass     mentions_facts >= baseline - 0.05",
        "  can pass     error_rate <= 0.05",
    ]
    assert told[9:11] == [
        "no comparable run of basic is recorded: a pass rate of 0.8 is assumed for every score",
        "  cases that flip   verdict     pass     fail",
    ]
    assert [line.split(" %")[0].strip() for line in told[11:15]] == ["0", "5", "10", "20"]
    assert re.fullmatch(
        r"if nothing changed and 10 % of the cases flip, the chance of a verdict is \d+ %"
        r"(; about [\d,]+ cases, or repeats=\d+, would make it 80 %)?",
        told[-1],
    )
    assert before == sorted(p for p in project.rglob("*") if "__pycache__" not in p.parts)


def test_plan_refuses_a_policy_that_cannot_pass(vcmp: Run):
    done = vcmp("plan", "dataset.limit=20", "tracking=none")

    assert done.returncode == 2
    assert "  can pass     mentions_facts >= baseline - 0.05\n" in done.stdout
    assert re.fullmatch(
        r"vcmp: this policy cannot pass with 20 cases in 6 clusters: error_rate <= 0\.05 takes"
        r" \d+ cases in \d+ clusters like these\.\n"
        r"  Add cases, or ask for less in gate=release\.\n",
        done.stderr,
    )


def test_plan_names_a_rule_that_has_no_scorer(tmp_path: Path):
    plan = judged_plan(Dataset(name="d", cases=cases(30)))
    record = SweepRecord(baseline="basic", gate="guide")
    policy = Policy(name="guide", rules=(Threshold(metric="warm", min=0.8),))
    sweep = Sweep(folder=tmp_path, plans=(plan,), folders=(tmp_path,), limits=Limits(),
                  record=record, policy=policy)  # fmt: skip

    with pytest.raises(ConfigError) as error:
        show(sweep, Console(quiet=True))

    assert str(error.value) == (
        "this policy cannot pass: warm >= 0.80: no scorer is called 'warm'.\n"
        "  Mend the rule in gate=guide."
    )


@pytest.mark.parametrize(
    ("rules", "baseline", "line"),
    [
        ((), "basic", "gate test has no rule: nothing is decided"),
        ((NoRegression(),), "",
         "gate test: nothing is compared, and no rule looks at one version alone"),
        ((NoFailures(),), "", "gate test, 1 rule, each version alone: nothing is compared"),
        ((ReadsAnswers(),), "basic", "  only a run can tell ReadsAnswers"),
    ],
)  # fmt: skip
def test_plan_says_what_is_decided_at_all(tmp_path: Path, capsys: Any, rules, baseline, line):
    plan = judged_plan(Dataset(name="d", cases=cases(30)))
    sweep = Sweep(folder=tmp_path, plans=(plan,), folders=(tmp_path,), limits=Limits(),
                  record=SweepRecord(baseline=baseline),
                  policy=Policy(name="test", rules=rules))  # fmt: skip

    show(sweep, Console(soft_wrap=True))

    assert line in capsys.readouterr().out.splitlines()


def test_plan_says_what_its_recorded_run_lacks_instead_of_a_chance_of_nothing(
    vcmp: Run, project: Path
):
    """An agent that calls no model reports no tokens, in this run and in the next."""
    (project / "agents/echo.py").write_text("def answer(question):\n    return question\n")
    (project / "conf/agent/echo.yaml").write_text(
        "# says what it was asked\n_target_: agents.echo.answer\n_partial_: true\n"
    )
    rules = [
        "{_target_: vcmp.gates.MaxRatio, metric: output_tokens, stat: total}",
        "{_target_: vcmp.gates.MaxRate, metric: error_rate, max: 0.05}",
    ]
    for name, wanted in (("both", rules), ("tokens", rules[:1])):
        text = "# none\nrules:\n" + "".join(f"  - {rule}\n" for rule in wanted)
        (project / f"conf/gate/{name}.yaml").write_text(text)
    vcmp("agent=echo", "baseline=null", "gate=none")

    done, alone = (vcmp("plan", "agent=echo", "baseline=echo", f"gate={gate}")
                   for gate in ("both", "tokens"))  # fmt: skip

    assert (done.returncode, alone.returncode) == (0, 0), done.stderr + alone.stderr
    told = "the recorded run of customer_support_agent-echo-git-"
    (first,) = [n for n, line in enumerate(lines(done.stdout)) if line.startswith(told)]
    assert lines(done.stdout)[first].endswith(
        " lacks output_tokens: the chance is that of the other rules"
    )
    assert lines(done.stdout)[first + 1] == (
        "  See in its report why and evaluate it again, or take the rules about output_tokens "
        "out of gate both."
    )
    assert "the chance of a verdict is 100 %" in lines(done.stdout)[-1]
    assert "0 %  output_tokens" not in done.stdout
    assert lines(alone.stdout)[-2].endswith(" lacks output_tokens: no rule is left")
    assert "chance of a verdict" not in alone.stdout


def test_what_most_cases_of_a_run_have_is_not_lacking():
    asked = occasion(4, RELEASE[0], missing_limit=0.25)
    whole = runs_of(evaluation({"c0": 1.0, "c1": 1.0, "c2": 1.0, "c3": None}))
    half = runs_of(evaluation({"c0": 1.0, "c1": 1.0, "c2": None, "c3": None}))

    assert prospects.lacking(whole, asked) == {}
    assert prospects.lacking(half, asked) == {"polite": 2}


def test_the_main_job_says_once_that_its_policy_cannot_pass_and_runs(vcmp: Run):
    """Recording a baseline is worth a run whose gate cannot pass."""
    done = vcmp("agent=basic", "dataset.limit=4", "tracking=none")

    assert done.returncode == 3, done.stderr
    notes = [line for line in lines(done.stdout) if "cannot pass" in line]
    assert len(notes) == 1
    assert notes[0].startswith("note: this policy cannot pass with 4 cases")
    assert notes[0].endswith("; vcmp plan says more")
