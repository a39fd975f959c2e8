"""verdict.json: what a program may rely on."""

import json

from tests.builders import SCRIPTED, conclusion, evaluation, finding, verdict
from vcmp.reports import verdict as document
from vcmp.reports import verdict_json
from vcmp.types import Interval


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
        *("schema_version", "verdict", "ship", "best", "gate", "baseline", "baseline_note"),
        *("candidates", "dataset", "scorers", "answered_by", "scripted", "command", "notes"),
    ]
    assert list(told["candidates"][0]) == [
        *("variant", "version", "commit", "dirty", "asked", "failed", "not_run"),
        *("n_cases", "answered_by", "metrics"),
        *("outcome", "reason", "findings", "deltas"),
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
            "alert": False,
        }
    ]


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
