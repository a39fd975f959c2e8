"""verdict.json: what a program may rely on."""

import json
from dataclasses import replace

import pytest

from tests.builders import SCRIPTED, comparison, conclusion, evaluation, finding, table, verdict
from vcmp.reports import verdict as document
from vcmp.reports import verdict_json
from vcmp.types import Case, Interval


def sides(before=0.5, after=1.0, **more):
    return (
        evaluation({"a": before}, **more),
        evaluation({"a": after}, variant="empathetic", **more),
    )


def test_its_keys_stay():
    """Scripts read these; a new key is fine, a missing one is not."""
    found = finding(estimate=0.9, interval=Interval(low=0.8, high=1.0), n=20)
    told = document(conclusion(*sides(), findings=[found]))

    assert list(told) == [
        *("schema_version", "verdict", "ship", "rollout", "alert", "alerts", "best"),
        *("gate", "looks", "stopped"),
        *("baseline", "baseline_note", "anchors", "candidates", "findings", "dataset", "scorers"),
        *("canaries", "agreement", "answered_by", "scripted", "command", "notes"),
    ]
    assert list(told["candidates"][0]) == [
        *("variant", "version", "commit", "dirty", "asked", "failed", "not_run"),
        *("outcomes", "calls"),
        *("n_cases", "answered_by", "metrics"),
        *("outcome", "rollout", "alert", "look", "n_cases_used"),
        *("reason", "findings", "deltas", "slices", "swayed"),
    ]
    assert told["candidates"][0]["findings"] == [
        {
            "rule": "polite >= 0.80",
            "metric": "polite",
            "outcome": "pass",
            "observed": "0.91 over 20 cases",
            "estimate": 0.9,
            "ci95": [0.8, 1.0],
            "n": 20,
            "advice": "",
            "needed_cases": None,
            "needed_repeats": None,
            "visible_loss": None,
            "rollout": None,
            "against": None,
            "alert": None,
            "report_only": False,
        }
    ]
    assert told["findings"] == [{"variant": "empathetic", **told["candidates"][0]["findings"][0]}]


def test_it_says_what_to_ship():
    told = document(conclusion(*sides()))

    assert (told["schema_version"], told["verdict"], told["ship"]) == (1, "pass", "empathetic")
    assert told["baseline"]["variant"] == "basic"
    assert told["candidates"][0]["deltas"]["polite"]["difference"] == 0.5


def test_nothing_to_ship_is_null_and_the_best_is_still_named():
    """A failed gate ships nothing, not even the best of the failures."""
    told = document(conclusion(*sides(), outcome="fail"))

    assert (told["verdict"], told["ship"], told["best"]) == ("fail", None, "empathetic")


def test_candidates_stand_in_the_order_of_their_verdicts():
    baseline, first = sides()
    second = evaluation({"a": 0.9}, variant="concise")
    verdicts = [verdict(second), verdict(first)]
    told = document(conclusion(baseline, first, second, verdicts=verdicts))

    assert [candidate["variant"] for candidate in told["candidates"]] == ["concise", "empathetic"]


def test_without_a_baseline_all_versions_are_listed():
    told = document(conclusion(evaluation({"a": 1.0})))

    assert (told["baseline"], told["best"]) == (None, None)
    assert told["candidates"][0]["metrics"]["polite/mean"] == 1.0
    assert told["candidates"][0]["outcome"] is None


def test_scripted_answers_have_neither_latency_nor_cost():
    """A program that ranks by cost must not find a free version."""
    told = document(conclusion(*sides(answerer=SCRIPTED)))

    assert told["scripted"] is True
    assert told["answered_by"] == ["scripted demo, no language model was called"]
    numbers = {*told["candidates"][0]["metrics"], *told["candidates"][0]["deltas"]}
    assert not [name for name in numbers if name.startswith(("latency", "cost"))]


def test_a_scripted_judge_is_named_so():
    told = document(conclusion(*sides(answerer=SCRIPTED, judges=["polite"])))

    assert told["scorers"]["polite"]["judge"] == "scripted judge"


def test_failures_are_counted():
    told = document(conclusion(*sides(after="TimeoutError")))

    assert told["candidates"][0]["failed"] == 1
    assert told["candidates"][0]["metrics"]["polite/mean"] == 0.0


def test_its_text_is_json_that_any_encoding_can_hold():
    told = conclusion(*sides(), reason="half a character: \ud800")

    assert json.loads(verdict_json(told).encode()) == document(told)


def test_a_gate_without_rules_ships_nothing():
    """Nothing was decided: a program must not take the exit code for an approval."""
    told = document(conclusion(*sides(), findings=[]))

    assert (told["verdict"], told["ship"], told["best"]) == ("pass", None, None)


def test_a_version_that_was_judged_alone_has_its_findings():
    version = evaluation({"a": "TimeoutError"})
    judged = verdict(version, "fail", [finding("no case fails", "fail")])
    told = document(conclusion(version, outcome="fail", verdicts=[judged]))

    assert (told["verdict"], told["ship"], told["baseline"]) == ("fail", None, None)
    assert told["candidates"][0]["outcome"] == "fail"
    assert told["candidates"][0]["findings"][0]["rule"] == "no case fails"


def test_each_candidate_says_who_answered_how_many_cases():
    told = document(conclusion(*sides(answerer=SCRIPTED)))["candidates"][0]

    assert told["n_cases"] == 1
    assert told["answered_by"] == "scripted demo, no language model was called"


def test_it_says_how_many_users_get_what_ships():
    """The share of the variant that ships, not of another that would do as well."""
    baseline, first = sides()
    second = evaluation({"a": 0.9}, variant="concise")
    verdicts = [
        verdict(first, "pass", [finding()], rollout=0.25),
        verdict(second, "pass", [finding()], rollout=0.5),
    ]
    told = document(conclusion(baseline, first, second, verdicts=verdicts))
    none = document(conclusion(*sides(), outcome="fail"))

    assert (told["ship"], told["rollout"]) == ("empathetic", 0.25)
    assert [candidate["rollout"] for candidate in told["candidates"]] == [0.25, 0.5]
    assert (none["ship"], none["rollout"]) == (None, 0.0)


def test_the_gravest_alert_is_told_beside_the_verdict():
    baseline, first = sides()
    second = evaluation({"a": 0.9}, variant="concise")
    verdicts = [
        verdict(first, "pass", [finding(alert="loss")], alert="loss"),
        verdict(second, "fail", [finding(outcome="fail", alert="critical")], alert="critical"),
    ]
    told = document(conclusion(baseline, first, second, outcome="fail", verdicts=verdicts))

    assert told["alert"] == "critical"
    assert [candidate["alert"] for candidate in told["candidates"]] == ["loss", "critical"]
    assert [found["alert"] for found in told["findings"]] == ["loss", "critical"]
    assert document(conclusion(*sides()))["alert"] is None


def test_a_planned_look_says_how_many_cases_decided():
    baseline, candidate = sides()
    judged = verdict(candidate, "pass", [finding()], look=2, n_cases=54)
    told = document(conclusion(baseline, candidate, verdicts=[judged], looks=5))
    all_at_once = document(conclusion(*sides()))["candidates"][0]

    assert told["looks"] == 5
    assert (told["candidates"][0]["look"], told["candidates"][0]["n_cases_used"]) == (2, 54)
    assert (all_at_once["look"], all_at_once["n_cases_used"]) == (None, 1)


def test_a_finding_against_a_further_version_names_it():
    found = finding(against="app-pinned-git-1", needed_cases=420, visible_loss=0.09)
    told = document(conclusion(*sides(), findings=[found], anchors=("app-pinned-git-1",)))

    assert told["anchors"] == ["app-pinned-git-1"]
    assert told["findings"][0]["against"] == "app-pinned-git-1"
    assert (told["findings"][0]["needed_cases"], told["findings"][0]["visible_loss"]) == (420, 0.09)


def test_slices_and_position_bias_are_told_by_metric():
    cases = [Case(id="a", inputs={}, tags=("billing",))]
    told = conclusion(*sides(cases=cases))
    judged = replace(told.comparisons[0], swayed={"preferred": 0.12})
    candidate = document(replace(told, comparisons=(judged,)))["candidates"][0]

    assert candidate["slices"]["polite"][0] | {"ci95": []} == {
        **{"tag": "billing", "baseline": 0.5, "candidate": 1.0, "difference": 0.5},
        **{"ci95": [], "n": 1, "lost": False},
    }
    assert candidate["swayed"] == {"preferred": 0.12}


def test_scores_from_a_table_have_no_made_up_counts():
    """Nobody knows how many answers were asked for: null, and never 0."""
    told = document(table(conclusion(*sides()), source="scores.csv"))

    assert told["baseline"] == {
        **{"variant": "basic", "version": "basic", "commit": None, "dirty": False},
        **{"asked": None, "failed": None, "not_run": None, "n_cases": 1},
        **{"outcomes": None, "calls": None},
        **{"answered_by": "scores.csv", "metrics": told["baseline"]["metrics"]},
    }
    assert told["baseline"]["metrics"]["polite/mean"] == 0.5
    assert told["candidates"][0]["metrics"]["polite/mean"] == 1.0
    assert told["dataset"] == {"name": "", "digest": None, "n_cases": 1, "repeats": 1}
    assert (told["verdict"], told["ship"]) == ("pass", "empathetic")


@pytest.mark.parametrize("outcome", ["pass", "fail", "inconclusive", "invalid"])
def test_a_table_can_have_any_outcome(outcome):
    told = document(table(conclusion(*sides(), outcome=outcome)))

    assert (told["verdict"], told["candidates"][0]["outcome"]) == (outcome, outcome)


def test_a_baseline_that_differs_between_the_candidates_of_a_table_has_no_mean():
    """Each candidate of a table brings its own baseline values; none of them is the mean."""
    baseline, first = sides()
    second = evaluation({"a": 0.9}, variant="concise")
    told = conclusion(baseline, first, second)
    other = comparison(evaluation({"a": 0.25}), second)
    bare = document(table(replace(told, comparisons=(told.comparisons[0], other))))

    assert "polite/mean" not in bare["baseline"]["metrics"]
    assert [each["deltas"]["polite"]["baseline"] for each in bare["candidates"]] == [0.5, 0.25]
