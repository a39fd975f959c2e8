"""junit.xml: what a CI system shows red, and that it can read the file at all."""

from xml.etree import ElementTree

import pytest

from tests.builders import SCRIPTED, conclusion, evaluation, finding, table, verdict
from tests.reports.test_text import HOSTILE
from vcmp.reports import junit


def parse(told):
    return ElementTree.fromstring(junit(told).encode())


def counts(element):
    return tuple(int(element.get(name)) for name in ("tests", "errors", "failures", "skipped"))


def suite(told, variant):
    return parse(told).find(f"testsuite[@name='{variant}']")


def test_a_variant_is_a_suite_and_a_case_a_testcase():
    told = conclusion(evaluation({"a": [1.0, 0.0], "b": [1.0, 1.0]}))
    case = suite(told, "basic").find("testcase[@name='a']")

    assert [each.get("name") for each in suite(told, "basic").iter("testcase")] == ["a", "b"]
    assert case.get("classname") == "app.basic"
    assert case.find("properties/property[@name='polite']").get("value") == "0.5"
    assert case.get("time") == "1.000"


def test_a_low_score_is_no_failure():
    """The gate judges scores, over all cases; a single one is only shown."""
    assert counts(parse(conclusion(evaluation({"a": 0.0})))) == (1, 0, 0, 0)


def test_a_failed_agent_is_an_error():
    told = conclusion(evaluation({"a": [1.0, "TimeoutError"], "b": [1.0, 1.0]}))
    error = suite(told, "basic").find("testcase[@name='a']/error")

    assert error.get("message") == "1 of 2 repeats failed: TimeoutError"
    assert counts(parse(told)) == (2, 1, 0, 0)


def test_a_case_that_was_not_run_is_skipped():
    whole = evaluation({"a": 1.0, "b": 1.0})
    part = type(whole)(
        **{name: getattr(whole, name) for name in whole.__slots__} | {"results": whole.results[:1]}
    )

    assert counts(parse(conclusion(part))) == (2, 0, 0, 1)


@pytest.mark.parametrize(("outcome", "failures"), [("pass", 0), ("fail", 1), ("inconclusive", 1)])
def test_a_rule_is_a_testcase_that_fails_unless_it_passed(outcome, failures):
    """Green means decided and good: what could not be decided is not green."""
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    told = conclusion(*sides, outcome=outcome, findings=[finding(outcome=outcome)])
    rule = suite(told, "empathetic").find("testcase[@name='gate: polite >= 0.80']")

    assert (rule.find("failure") is not None) == bool(failures)
    assert counts(parse(told)) == (3, 0, failures, 0)
    assert counts(suite(told, "basic")) == (1, 0, 0, 0)


def test_a_missing_score_is_told_and_has_no_value():
    case = suite(conclusion(evaluation({"a": None})), "basic").find("testcase")

    assert case.find("properties/property") is None
    assert case.find("system-out").text == "polite: unscored, the judge gave no JSON"


def test_scripted_answers_take_no_time():
    told = conclusion(evaluation({"a": 1.0}, answerer=SCRIPTED))

    assert suite(told, "basic").find("testcase").get("time") is None


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_an_agent_says_is_well_formed(text):
    """One control character in one error would make CI drop the whole file."""
    told = conclusion(
        evaluation({text + "1": f"error {text}", "b": 1.0}, rationales={"b": text}, variant=text)
    )

    assert counts(parse(told)) == (2, 1, 0, 0)


def test_the_rules_about_a_version_alone_are_testcases_too():
    version = evaluation({"a": 1.0})
    judged = verdict(version, "fail", [finding("no case fails", "fail")])
    told = conclusion(version, outcome="fail", verdicts=[judged])

    assert counts(suite(told, "basic")) == (2, 0, 1, 0)


def test_what_would_decide_stands_in_the_message_of_the_failure():
    """A CI system shows that line alone."""
    found = finding(
        outcome="inconclusive",
        observed="−0.019",
        advice="More.",
        needed_cases=420,
        needed_repeats=4,
    )
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    told = conclusion(*sides, outcome="inconclusive", findings=[found])
    failure = suite(told, "empathetic").find("testcase[@name='gate: polite >= 0.80']/failure")

    assert failure.get("message") == "−0.019; decides with 420 cases or 4 repeats"
    assert failure.text == "−0.019\nMore."


def test_cases_that_are_there_already_are_not_asked_for():
    found = finding(outcome="inconclusive", observed="−0.019", needed_cases=80, n=120)
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    told = conclusion(*sides, outcome="inconclusive", findings=[found])
    failure = suite(told, "empathetic").find("testcase[@name='gate: polite >= 0.80']/failure")

    assert failure.get("message") == "−0.019"


def test_a_rule_that_does_not_count_is_no_failure():
    tail = finding("latency_s/p95", "inconclusive", observed="9 x baseline", report_only=True)
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    case = suite(conclusion(*sides, findings=[finding(), tail]), "empathetic").find(
        "testcase[@name='gate: latency_s/p95']"
    )

    assert case.find("failure") is None
    assert case.find("system-out").text == "9 x baseline"


def test_an_alert_is_told_even_where_the_rule_passes():
    found = finding(observed="−0.117", alert="critical", against="app-pinned-git-1")
    candidate = evaluation({"a": 0.5}, variant="empathetic")
    judged = verdict(candidate, "pass", [found], rollout=0.1, alert="critical")
    told = conclusion(evaluation({"a": 1.0}), candidate, verdicts=[judged])
    name = "gate: polite >= 0.80, against app-pinned-git-1"
    properties = {
        each.get("name"): each.get("value")
        for each in suite(told, "empathetic").findall("properties/property")
    }

    assert suite(told, "empathetic").find(f"testcase[@name='{name}']/system-out").text == (
        "−0.117\nalert: certainly worse than the baseline, by more than the margin"
    )
    assert properties["alert"] == "critical"
    assert properties["rollout"] == "0.1"
    assert properties["next"] == "start with 10 % of the users"


def test_scores_from_a_table_have_rules_and_no_cases():
    sides = evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="empathetic")
    told = table(conclusion(*sides))

    assert counts(suite(told, "basic")) == (0, 0, 0, 0)
    assert counts(suite(told, "empathetic")) == (1, 0, 0, 0)
