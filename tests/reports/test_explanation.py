"""What stands beside a verdict: one number, one next step, and the losses it does not tell."""

from dataclasses import replace

import pytest

from tests.builders import SCRIPTED, conclusion, evaluation, finding, verdict
from vcmp.reports.explanation import explain
from vcmp.reports.words import Voice
from vcmp.types import Loss

PLAIN = Voice(name=str, sentence=str)


def sides(before, after, **more):
    return evaluation(before, **more), evaluation(after, variant="empathetic", **more)


def why(told, place=0):
    return explain(told, told.verdicts[place], PLAIN)


def judged(outcome, *findings, before=None, after=None, reason="as it is", scripted=False, **more):
    """The explanation of a verdict about `empathetic`."""
    kind = {"answerer": SCRIPTED, "judges": ["polite"]} if scripted else {}
    both = {"a": 1.0, "b": 1.0}
    baseline, candidate = sides(before or both, after or both, **kind)
    of_verdict = {key: more.pop(key) for key in ("rollout", "alert", "look") if key in more}
    judgement = verdict(candidate, outcome, findings, reason, **of_verdict)
    return why(conclusion(baseline, candidate, outcome=outcome, verdicts=[judgement], **more))


@pytest.mark.parametrize(
    ("rollout", "step"),
    [
        (0.1, "start with 10 % of the users"),
        (0.25, "start with 25 % of the users"),
        (1.0, "give it to all users"),
        (0.0, ""),
    ],
)
def test_after_a_pass_the_next_step_is_how_many_users_get_it(rollout, step):
    assert judged("pass", finding(), rollout=rollout).step == step


def test_only_the_best_that_passed_is_given_to_users():
    """Two candidates cannot both get a quarter of them."""
    baseline, first = sides({"a": 0.5}, {"a": 1.0})
    second = evaluation({"a": 0.9}, variant="concise")
    verdicts = [verdict(each, "pass", [finding()], rollout=0.25) for each in (first, second)]
    told = conclusion(baseline, first, second, verdicts=verdicts)

    assert why(told, 0).step == "start with 25 % of the users"
    assert why(told, 1).step == ""


def test_after_a_failure_the_worst_cases_are_to_be_read():
    before = dict.fromkeys("abcde", 1.0)
    after = {"a": 0.9, "b": 0.0, "c": 0.5, "d": 0.2, "e": 1.0}

    assert judged("fail", finding(outcome="fail"), before=before, after=after).step == (
        "read the 4 cases that got worse in polite: b, d, c and 1 more"
    )


def test_of_a_measurement_the_cases_that_grew_are_to_be_looked_at():
    slow = evaluation({"a": 1.0}, variant="empathetic", latency_s=2.0)
    found = finding("latency_s/p50 <= 1.20 x baseline", "fail", metric="latency_s/p50")
    told = conclusion(evaluation({"a": 1.0}), slow, outcome="fail", findings=[found])

    assert why(told).step == "look at the cases where latency_s grew most: a"


def test_of_failures_the_errors_are_to_be_read():
    found = finding("error_rate <= 0.05", "fail", metric="error_rate")

    assert judged("fail", found, after={"a": "TimeoutError", "b": 1.0}).step == (
        "read the errors of a"
    )


def test_where_no_case_got_worse_the_gate_says_what_to_do():
    found = finding("polite >= 0.80", "fail", advice="Read the cases that scored lowest.")

    assert judged("fail", found).step == "read the cases that scored lowest"


def test_a_failure_against_a_further_version_names_no_case_of_the_baseline():
    """The pairs at hand are those with the baseline: another's worst cases are not among them."""
    found = finding(outcome="fail", advice="Read the worst first.", against="app-pinned-git-1")

    assert judged("fail", found, after={"a": 0.0, "b": 1.0}).step == "read the worst first"


def undecided(**more):
    return finding("polite >= baseline -0.05", "inconclusive", rollout=0.0, **more)


def test_too_little_evidence_asks_for_repeats_with_a_command_to_paste():
    """Repeats cost fewer answers here, so they come first; both would do."""
    told = judged(
        "inconclusive",
        undecided(needed_cases=411, needed_repeats=4, if_unchanged=True, visible_loss=0.0873),
    )

    assert told.step == "run it with 4 repeats, or add 409 cases to support (411 in all)"
    assert told.command == "python -m vcmp agent=empathetic,basic --multirun repeats=4"
    assert told.remark == (
        "That decides in 4 of 5 runs if the versions are equally good. "
        "A loss of 0.087 or more would already have shown."
    )


def test_cases_come_first_where_they_cost_fewer_answers():
    found = undecided(needed_cases=3, needed_repeats=4, visible_loss=0.3)

    assert judged("inconclusive", found).step == (
        "add 1 case to support (3 in all), or run it with 4 repeats"
    )


def test_a_command_with_repeats_gets_others():
    found = undecided(needed_cases=30, needed_repeats=4)
    told = judged("inconclusive", found, command="python -m vcmp repeats=2 agent=a,b")

    assert told.command == "python -m vcmp agent=a,b repeats=4"


def test_where_repeats_would_not_help_only_cases_are_asked_for():
    """One of two findings cannot be decided by repeats, so none is offered."""
    found = [
        undecided(needed_cases=30, needed_repeats=4, if_unchanged=True, visible_loss=0.1),
        finding("error_rate <= 0.05", "inconclusive", metric="error_rate", needed_cases=59),
    ]
    told = judged("inconclusive", *found)

    assert told.step == "add 57 cases to support (59 in all)"
    assert told.command == ""
    assert told.remark.startswith(
        "That decides in 4 of 5 runs if the versions are equally good and all else goes on like "
        "this. A loss"
    )


def test_cases_for_a_gain_suppose_that_it_goes_on_like_this():
    """However many cases, none shows a gain between versions that are equally good."""
    found = undecided(needed_cases=30, visible_loss=0.1)

    assert judged("inconclusive", found).remark == (
        "That decides in 4 of 5 runs if it goes on like this. "
        "A loss of 0.100 or more would already have shown."
    )


@pytest.mark.parametrize("needed", [None, 2])
def test_where_no_number_of_cases_would_decide_the_gate_says_what_to_do(needed):
    """Also where there are enough already, and they show a loss."""
    found = undecided(needed_cases=needed, advice="More cases will not decide this.")

    assert judged("inconclusive", found).step == "more cases will not decide this"


def slow(rule="latency_s/p50 <= 1.20 x baseline", advice="Take this rule out of the gate."):
    return finding(rule, "inconclusive", metric="latency_s", advice=advice)


def test_what_no_number_of_cases_settles_comes_before_cases_for_the_rest():
    """Cases alone would leave the verdict as open as it is."""
    found = [undecided(needed_cases=30, needed_repeats=4, advice="About 30 cases."), slow()]
    told = judged("inconclusive", *found, reason="polite >= baseline -0.05 is not decided: 0.")

    assert told.step == (
        "for latency_s/p50 <= 1.20 x baseline: take this rule out of the gate; "
        "then run it with 4 repeats, or add 28 cases to support (30 in all)"
    )
    assert told.command == ""
    assert told.remark == "That decides the rest in 4 of 5 runs if it goes on like this."


def test_all_that_no_number_of_cases_settles_is_told():
    """What helps several rules is said once, with their names."""
    found = [slow(), slow("cost_usd/total <= 1.20 x baseline"), undecided(advice="Look closer.")]

    assert judged("inconclusive", *found).step == (
        "for latency_s/p50 <= 1.20 x baseline and cost_usd/total <= 1.20 x baseline: "
        "take this rule out of the gate; for polite >= baseline -0.05: look closer"
    )


def test_of_many_of_them_the_first_are_told():
    found = [slow(f"rule {n}", f"Do {n}.") for n in range(5)]

    assert judged("inconclusive", *found).step == (
        "for rule 0: do 0; for rule 1: do 1; for rule 2: do 2; 2 more in verdict.json"
    )


def test_what_does_not_count_is_no_next_step():
    found = undecided(needed_cases=30)
    tail = finding("latency_s/p95", "inconclusive", needed_cases=300, report_only=True)

    assert judged("inconclusive", found, tail).step == "add 28 cases to support (30 in all)"


def test_what_cannot_be_judged_is_to_be_mended():
    found = finding(outcome="invalid", advice="Evaluate again, to the end.")

    assert judged("invalid", found).step == "evaluate again, to the end"


def loss(kind, outcome="pass", **more):
    return finding("brief >= baseline -0.05", outcome, metric="brief", alert=kind, **more)


@pytest.mark.parametrize(
    ("found", "alert"),
    [
        (loss("loss", estimate=-0.125), "brief (−0.125), within the margin"),
        (loss("critical", estimate=-0.125), "brief (−0.125), by more than the margin"),
        (
            loss("loss", estimate=1.3, observed="1.300 x baseline, 95 % CI 1.1 to 1.5, 9 cases"),
            "brief >= baseline -0.05 (1.300 x baseline), within the margin",
        ),
        (
            loss("loss", estimate=-0.125, observed="−0.2, 95 % CI", against="app-pinned-git-1"),
            "brief >= baseline -0.05 against app-pinned-git-1 (−0.2), within the margin",
        ),
    ],
)
def test_a_certain_loss_is_an_alert_even_where_all_rules_hold(found, alert):
    scores = {"a": 1.0}, {"a": 0.875}
    baseline, candidate = (
        evaluation({"a": 1.0}, more={"brief": values}, variant=variant)
        for variant, values in zip(("basic", "empathetic"), scores, strict=True)
    )
    told = conclusion(baseline, candidate, findings=[finding(), found])

    assert why(told).alerts == (f"certainly worse than the baseline on {alert}",)


def test_a_failure_is_no_alert_of_itself_unless_it_is_critical():
    """That it is worse is what the verdict says; that it is worse by far is not."""
    reason = "polite >= baseline -0.05 does not hold: −0.5."
    found = [
        finding("polite >= baseline -0.05", "fail", alert=kind, estimate=-0.5)
        for kind in ("loss", "critical")
    ]
    after = {"a": 0.5, "b": 0.5}

    assert judged("fail", found[0], after=after, reason=reason).alerts == ()
    assert judged("fail", found[1], after=after, reason=reason).alerts == (
        "certainly worse than the baseline on polite (−0.500), by more than the margin",
    )


def test_losses_beside_the_one_for_which_it_failed_are_alerts():
    """The verdict's own number tells one metric; nobody may overlook that a second one fell."""
    told = finding("no certain loss", "fail", metric="polite", estimate=-0.5, alert="loss")
    losses = tuple(
        Loss(metric=metric, kind="loss", observed=f"{metric} −0.5", estimate=value, interval=None)
        for metric, value in (("polite", -0.5), ("brief", -0.4))
    )
    found = replace(told, losses=losses)

    assert judged("fail", found, reason="no certain loss does not hold: −0.5.").alerts == (
        "certainly worse than the baseline on no certain loss (brief −0.5)",
    )


def test_of_many_losses_the_first_are_named():
    losses = tuple(
        Loss(metric=f"m{n}", kind="loss", observed=f"m{n} −0.{9 - n}", estimate=None, interval=None)
        for n in range(7)
    )
    found = finding("no loss", alert="loss", losses=losses)

    (alert,) = judged("pass", found).alerts

    assert alert.startswith("certainly worse than the baseline on no loss (m0 −0.9), no loss (m1")
    assert alert.endswith("(m4 −0.5) and 2 more, within the margin")


def test_an_early_stop_says_at_which_look_and_on_how_many_cases():
    baseline, candidate = sides({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0})

    def look(outcome, look, n_cases):
        found = finding(outcome=outcome)
        judgement = verdict(candidate, outcome, [found], look=look, n_cases=n_cases)
        told = conclusion(baseline, candidate, outcome=outcome, verdicts=[judgement], looks=5)
        return why(told).look

    assert look("pass", 2, 1) == "decided at look 2 of 5, on 1 of 2 cases"
    assert look("inconclusive", 5, 2) == "look 5 of 5, on 2 cases"
    assert look("pass", 0, 2) == ""


def test_the_look_and_a_scripted_judge_stand_in_the_number():
    """Nobody may quote a rule's number as a model's, nor a part of the cases as all of them."""
    told = judged("pass", finding(), reason="polite holds: 0.9.", look=2, looks=5, scripted=True)

    assert told.number == (
        "polite holds: 0.9 (scripted judge) (decided at look 2 of 5, on 2 cases)."
    )
    assert judged("pass", finding(), reason="polite holds: 0.9.").number == "polite holds: 0.9."


def test_a_version_that_was_judged_alone_needs_no_users():
    version = evaluation({"a": 1.0})
    judgement = verdict(version, "pass", [finding()], rollout=0.1)

    assert why(conclusion(version, verdicts=[judgement])).step == ""
