"""Two evaluations, paired by case: what counts, what is left out, and what may not be compared."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import OPENAI, SCRIPTED, evaluation
from vcmp.comparison import check_comparable, compare, restrict
from vcmp.errors import ComparisonError
from vcmp.types import Case, Plan, ScorerCard, Usage

values = st.none() | st.just("boom") | st.sampled_from([0.0, 0.3, 0.7, 1.0])
scores = st.dictionaries(st.sampled_from("abcdefgh"), values, min_size=1)
IGNORED = "\n  Evaluate both versions on the same cases, with the same scorers and judges."


def test_a_failed_agent_counts_as_the_worst_score():
    """A candidate that fails on the hard case does not look better for it."""
    baseline = evaluation({"easy": 1.0, "hard": 0.5})
    candidate = evaluation({"easy": 1.0, "hard": "timeout"})

    comparison = compare(baseline, candidate)

    delta = comparison.deltas["polite"]
    assert (delta.baseline, delta.candidate, delta.difference) == (0.75, 0.5, -0.25)
    assert (delta.improved, delta.regressed, delta.same) == (0, 1, 1)
    assert comparison.deltas["error"].candidate == 0.5


def test_an_unscored_case_has_no_pair_and_is_counted():
    baseline = evaluation({"easy": 1.0, "hard": 0.0})
    candidate = evaluation({"easy": 1.0, "hard": None})

    pair = compare(baseline, candidate).pairs["polite"]

    assert pair.case_ids == ("easy",)
    assert (pair.n_cases, pair.scored, pair.asked) == (2, (2, 1), (2, 2))


def test_repeats_are_averaged_inside_the_case():
    """Three repeats of one case are no three cases; an unscored one is left out of its mean."""
    baseline = evaluation({"a": [1.0, 0.0, 0.5], "b": [1.0, 1.0, 1.0]})
    candidate = evaluation({"a": [1.0, None, 0.0], "b": [1.0, "boom", 0.5]})

    comparison = compare(baseline, candidate)

    assert comparison.pairs["polite"].baseline == (0.5, 1.0)
    assert comparison.pairs["polite"].candidate == (0.5, 0.5)
    assert comparison.deltas["polite"].n == 2
    assert comparison.pairs["error"].candidate == (0.0, pytest.approx(1 / 3))


def test_a_comparison_is_over_the_cases_that_both_were_asked():
    """What a planned look left out is not missing, and what the candidate has beside it counts."""
    every = evaluation({"a": 1.0, "b": 0.0, "c": 1.0, "d": None})
    ended = evaluation({"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0})
    rows = tuple(row for row in ended.results if row.case_id in "ab")
    ended = replace(ended, results=rows, asked={"a": 1, "b": 1})

    comparison = compare(ended, every)

    pair, sample = comparison.pairs["polite"], comparison.samples["polite"]
    assert (comparison.n_cases, pair.n_cases, pair.case_ids) == (2, 2, ("a", "b"))
    assert (pair.scored, pair.asked) == ((2, 3), (2, 4))
    assert (sample.case_ids, sample.scored, sample.asked) == (("a", "b", "c"), 3, 4)
    assert compare(every, ended).n_cases == 2
    assert restrict(ended, ["b", "c"]).n_asked == 1
    assert restrict(ended, ["c", "d"]).n_asked == 0


def test_failed_results_have_no_measurements():
    """A crash is fast and cheap; it must not make the latency look better."""
    baseline = evaluation({"a": 1.0, "b": 1.0})
    candidate = evaluation({"a": 1.0, "b": "boom"})

    pairs = compare(baseline, candidate).pairs

    assert pairs["latency_s"].case_ids == ("a",)
    assert not pairs["latency_s"].score
    assert pairs["cost_usd"].scored == (2, 1)


def test_fewer_tokens_are_an_improvement():
    baseline = evaluation({"a": 1.0}, usage=Usage(output_tokens=20))
    candidate = evaluation({"a": 1.0}, usage=Usage(output_tokens=15))

    deltas = compare(baseline, candidate).deltas

    assert (deltas["output_tokens"].difference, deltas["output_tokens"].improved) == (-5, 1)
    assert "cost_usd" not in deltas


@pytest.mark.parametrize("sides", [(SCRIPTED, OPENAI), (OPENAI, SCRIPTED)])
def test_scripted_answers_have_no_latency_and_no_cost(sides):
    baseline, candidate = (evaluation({"a": 1.0}, answerer=side) for side in sides)

    deltas = compare(baseline, candidate).deltas

    assert set(deltas) == {"polite", "input_tokens", "output_tokens", "output_chars", "error"}


def test_a_scorer_of_one_side_only_has_no_delta():
    baseline = evaluation({"a": 1.0})
    candidate = evaluation({"a": 1.0}, more={"concise": {"a": 1.0}})

    assert "concise" not in compare(baseline, candidate).deltas


def test_cases_keep_their_clusters():
    cases = [Case(id=name, inputs={}, cluster="" if name == "c" else "pair") for name in "abc"]
    side = evaluation(dict.fromkeys("abc", 1.0), cases=cases)

    comparison = compare(side, side)

    assert comparison.pairs["polite"].clusters == ("pair", "pair", "c")
    assert comparison.deltas["polite"].n_clusters == 2


def test_metrics_come_in_one_order():
    scores = {"a": 1.0}
    side = evaluation(scores, metric="zeal", more={"accuracy": scores})

    assert list(compare(side, side).deltas)[:2] == ["accuracy", "zeal"]


@given(scores)
def test_nothing_differs_from_itself(by_case):
    side = evaluation(by_case)

    for delta in compare(side, side).deltas.values():
        assert delta.difference == 0
        assert (delta.improved, delta.regressed, delta.same) == (0, 0, delta.n)
        assert delta.interval.low < 0 < delta.interval.high


@given(scores, st.data())
def test_swapping_the_sides_swaps_improved_and_regressed(by_case, data):
    other = {case: data.draw(values) for case in by_case}
    there = compare(evaluation(by_case), evaluation(other))
    back = compare(evaluation(other), evaluation(by_case))

    assert there.deltas.keys() == back.deltas.keys() == there.pairs.keys()
    for metric, delta in there.deltas.items():
        assert (delta.improved, delta.regressed) == (
            back.deltas[metric].regressed,
            back.deltas[metric].improved,
        )
        assert delta.difference == -back.deltas[metric].difference
        assert delta.n == len(there.pairs[metric].case_ids)


@given(scores, st.data())
def test_every_case_is_paired_or_lacks_a_score(by_case, data):
    other = {case: data.draw(values) for case in by_case}
    pair = compare(evaluation(by_case), evaluation(other)).pairs.get("polite")

    unpaired = sum(by_case[case] is None or other[case] is None for case in by_case)

    assert (len(pair.case_ids) if pair else 0) + unpaired == len(by_case)


@given(scores, st.randoms(use_true_random=False))
def test_neither_the_order_of_results_nor_that_of_cases_matters(by_case, chance):
    side = evaluation(by_case)
    shuffled = replace(
        side,
        results=tuple(chance.sample(side.results, len(side.results))),
        dataset=replace(side.dataset, cases=tuple(chance.sample(side.dataset.cases, len(by_case)))),
    )

    assert compare(shuffled, side).deltas == compare(side, side).deltas
    assert compare(shuffled, side).pairs == compare(side, shuffled).pairs


def test_other_cases_are_not_comparable():
    baseline, candidate = evaluation({"a": 1.0}), evaluation({"b": 1.0})

    with pytest.raises(ComparisonError) as caught:
        compare(baseline, candidate)

    left, right = baseline.dataset.digest[:8], candidate.dataset.digest[:8]
    assert str(caught.value) == (
        f"not comparable: dataset digest differs ('support' {left}… against {right}…)." + IGNORED
    )


def test_other_scorers_and_judges_are_not_comparable():
    """All that differs is said at once."""
    scores = {"a": 1.0}
    baseline = evaluation(scores, more={"relevant": scores}, judges=["relevant"])
    cards = {
        "polite": ScorerCard(digest="f" * 64),
        "relevant": replace(baseline.scorers["relevant"], model="gpt-4o"),
    }

    with pytest.raises(ComparisonError) as caught:
        compare(baseline, replace(baseline, scorers=cards))

    assert str(caught.value) == (
        "not comparable: scorer 'polite' differs (polite00… against ffffffff…); "
        "judge model of 'relevant' differs ('gpt-4o-mini' against 'gpt-4o')." + IGNORED
    )


def test_a_plan_that_could_not_be_compared_is_refused_before_it_runs():
    baseline, other = evaluation({"a": 1.0}), evaluation({"b": 1.0})
    plan = Plan(
        version=baseline.version,
        agent=str,
        dataset=baseline.dataset,
        scorers={"polite": len},
        cards=baseline.scorers,
        answerer=OPENAI,
    )

    check_comparable(baseline, plan)
    with pytest.raises(ComparisonError, match="dataset digest differs"):
        check_comparable(other, plan)
