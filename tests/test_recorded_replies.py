"""What a recorded reply says counts; how long it took to play does not."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.builders import conclusion, evaluation
from vcmp.calls import Slot, collect, slot, take_number
from vcmp.comparison import compare
from vcmp.gates import MaxRatio, Policy, Threshold, decide
from vcmp.metrics import measure, summarize
from vcmp.reports import junit
from vcmp.tracking.analysis import summarize as summarize_traces
from vcmp.types import Evaluation


def played(made: Evaluation, *case_ids: str, source: Any = "cached") -> Evaluation:
    """The evaluation as if the calls of these cases had been answered by recordings."""
    results = tuple(
        replace(r, calls=tuple(replace(call, source=source) for call in r.calls))
        if r.case_id in case_ids
        else r
        for r in made.results
    )
    return replace(made, results=results)


@pytest.mark.parametrize("source", ["cached", "replayed"])
def test_a_result_with_a_recorded_reply_has_no_latency_and_its_cost(source):
    """An agent is not fast because its model was not asked."""
    made = evaluation({"a": 1.0, "b": 1.0}, latency_s=0.5)
    slow = replace(made.results[1], latency_s=2.0)
    mixed = played(replace(made, results=(made.results[0], slow)), "a", source=source)

    assert measure(mixed.results[0], "latency_s") is None
    assert measure(mixed.results[0], "cost_usd") == 0.0005
    metrics = summarize(mixed)
    assert metrics["latency_s/mean"] == metrics["latency_s/min"] == 2.0
    assert metrics["cost_usd/total"] == 0.001
    assert "latency_s/mean" not in summarize(played(made, "a", "b", source=source))


def test_a_rule_on_latency_is_undecided_where_all_was_played():
    """And says why."""
    made = played(evaluation({f"c{n}": 1.0 for n in range(50)}), *(f"c{n}" for n in range(50)))
    for rule in (MaxRatio("latency_s"), Threshold("latency_s/p95", max=9, evidence="point")):
        (finding,) = decide(compare(made, made), Policy(name="fast", rules=(rule,))).findings

        assert finding.outcome == "inconclusive"
        assert finding.observed.endswith(
            "was not measured: the answers were recorded, and no model was waited for"
        )
        assert finding.advice == (
            "Choose a provider that calls a model, or take this rule out of the gate."
        )


def test_junit_times_only_what_was_waited_for():
    """CI systems sum these up."""
    before = played(evaluation({"a": 1.0, "b": 1.0}), "a")
    suites = ElementTree.fromstring(junit(conclusion(before, before)).encode())

    times = {case.get("name"): case.get("time") for case in suites.iter("testcase")}
    assert (times["a"], times["b"]) == (None, "0.500")


def test_traces_of_recorded_replies_are_out_of_the_latency():
    """`vcmp versions show` reads it from MLflow."""

    def trace(duration: int, **tags: str) -> Any:
        info = SimpleNamespace(
            state="OK", execution_duration=duration, tags=tags, token_usage={}, assessments=[]
        )
        return SimpleNamespace(info=info, data=SimpleNamespace(spans=[]))

    version: Any = SimpleNamespace(scripted=False)
    summary = summarize_traces(version, [trace(800), trace(3, **{"vcmp.recorded": "true"})])

    assert summary.latency_s["max"] == summary.latency_s["min"] == 0.8


def test_a_slot_numbers_equal_calls():
    """Each collection by itself; outside of one there is no slot."""
    assert (slot(), take_number("x")) == (None, 0)
    of = Slot(variant="basic", case_id="a", repeat=0)
    with collect(of):
        assert slot() == of
        assert [take_number(request) for request in ("x", "y", "x")] == [0, 0, 1]
        with collect(replace(of, scorer="polite")):
            assert take_number("x") == 0
