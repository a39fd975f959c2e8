"""Several rules, slices, candidates and looks share one probability of being wrong."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vcmp
from tests.builders import evaluation
from vcmp.comparison import compare, restrict
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
    decide,
    decide_all,
    look_by_look,
    rank,
    settle,
    wanted_low,
)
from vcmp.gates.holm import rejected
from vcmp.types import Case, Finding, prefix

NOT_WORSE = NonInferiority("polite")


def names(n):
    return [f"c{number:04}" for number in range(n)]


def side(values, *, tags=None, more=None, **rest):
    """An evaluation of one case for each value, with a tag for each."""
    ids = names(len(values))
    if tags:
        rest["cases"] = [
            Case(id=name, inputs={}, tags=(tag,)) for name, tag in zip(ids, tags, strict=True)
        ]
    others = {name: dict(zip(ids, column, strict=True)) for name, column in (more or {}).items()}
    return evaluation(dict(zip(ids, values, strict=True)), more=others, **rest)


def policy(*rules, **keys):
    return Policy(name="test", rules=rules, **keys)


def losing(n, n_lost):
    """Of n cases that the baseline wins, the first n_lost are lost."""
    return [0.0] * n_lost + [1.0] * (n - n_lost)


def flip(rng, truth):
    return float(rng.random() < truth)


def judged(metrics, rules, **keys):
    """What `vcmp.decide` makes of pairs of values by metric: the fastest way to many decisions."""
    rows = [
        (f"c{case}", name, *pair)
        for name, pairs in metrics.items()
        for case, pair in enumerate(pairs)
    ]
    names = ("case_id", "scorer", "baseline", "candidate")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return vcmp.decide(columns, policy(*rules, **keys))


# --- Holm's procedure ------------------------------------------------------------------------


def test_each_rejection_leaves_more_for_the_others():
    """The textbook example: 0.01, 0.02 and 0.03 at 0.05 are all rejected, one by one."""
    p_values = {"a": 0.01, "b": 0.02, "c": 0.03}

    found = rejected({key: p.__le__ for key, p in p_values.items()}, 0.05)

    assert list(found) == ["a", "b", "c"]
    assert found == pytest.approx({"a": 0.05 / 3, "b": 0.025, "c": 0.05})


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8))
def test_holm_rejects_what_the_ordered_p_values_say(p_values):
    """The step-down definition: the k-th smallest against alpha / (m - k + 1)."""
    ordered = sorted(range(len(p_values)), key=lambda n: p_values[n])
    expected = set()
    for step, place in enumerate(ordered):
        if p_values[place] > 0.05 / (len(p_values) - step):
            break
        expected.add(place)

    assert set(rejected({n: p.__le__ for n, p in enumerate(p_values)}, 0.05)) == expected


# --- several metrics -------------------------------------------------------------------------


def test_a_loss_that_is_certain_alone_is_not_certain_among_ten():
    baseline, candidate = [1.0] * 60, losing(60, 5)
    ten = {f"m{n}": baseline for n in range(9)}
    alone = decide(compare(side(baseline), side(candidate)), policy(NoRegression("polite")))
    among = decide(
        compare(side(baseline, more=ten), side(candidate, more=ten)),
        policy(NoRegression("polite"), *(NoRegression(name) for name in ten)),
    )

    assert (alone.outcome, alone.alert) == ("fail", "loss")
    assert (among.outcome, among.alert) == ("pass", "")


def test_a_certain_loss_leaves_its_share_to_the_next():
    """Of two losses the second is judged at the full level once the first is certain."""
    baseline = [1.0] * 60
    candidate = losing(60, 5), losing(60, 30)
    compared = compare(
        side(baseline, more={"right": baseline}), side(candidate[0], more={"right": candidate[1]})
    )

    verdict = decide(compared, policy(NoRegression("polite"), NoRegression("right")))

    assert [finding.outcome for finding in verdict.findings] == ["fail", "fail"]
    assert verdict.alert == "critical"


@pytest.mark.parametrize("n_metrics", [1, 10])
def test_unchanged_metrics_raise_no_more_false_alarms_than_alpha(n_metrics):
    """Whatever their number: 5 % of 60 is 3, and 9 is beyond the 99.9 % quantile."""
    rng = random.Random(n_metrics)
    rules = [NoRegression(f"m{n}") for n in range(n_metrics)]
    alarms = 0
    for _ in range(60):
        metrics = {
            rule.metric: [(flip(rng, 0.8), flip(rng, 0.8)) for _ in range(60)] for rule in rules
        }
        alarms += judged(metrics, rules)["verdict"] == "fail"

    assert alarms <= 9


# --- slices ----------------------------------------------------------------------------------


def test_a_loss_of_one_tag_is_found_though_the_whole_is_fine():
    tags = ["billing"] * 40 + ["shipping"] * 160
    baseline = side([1.0] * 40 + [0.5] * 160, tags=tags)
    candidate = side([0.0] * 40 + [1.0] * 160, tags=tags)
    compared = compare(baseline, candidate)

    (finding,) = decide(compared, policy(NoRegression("polite", by="tag"))).findings

    assert decide(compared, policy(NoRegression("polite"))).outcome == "pass"
    assert (finding.outcome, finding.rule) == ("fail", "no certain loss of polite for any tag")
    assert finding.observed.startswith("polite of billing −1.000, 95 % CI")
    assert finding.n == 40
    (billing, shipping) = sorted(compared.slices["polite"], key=lambda each: each.tag)
    assert (billing.tag, billing.n, billing.difference, billing.lost) == ("billing", 40, -1, True)
    assert (shipping.tag, shipping.lost) == ("shipping", False)


def test_many_tags_do_not_hide_what_all_cases_show():
    """Slices that are too small to be decided take no share of alpha, the others half of it."""
    tags = [f"t{n % 10}" for n in range(100)]
    baseline, candidate = side([1.0] * 100, tags=tags), side(losing(100, 7), tags=tags)

    for by in (None, "tag"):
        verdict = decide(compare(baseline, candidate), policy(NoRegression("polite", by=by)))
        assert (verdict.outcome, verdict.alert) == ("fail", "loss")


def test_slices_need_a_known_dimension():
    with pytest.raises(ConfigError) as refused:
        NoRegression("polite", by="topic")

    assert str(refused.value) == "NoRegression: by 'topic' is unknown. Choose tag, or leave out."


# --- all of, any of --------------------------------------------------------------------------


def test_all_of_is_one_rule_that_fails_where_one_does():
    compared = compare(side([1.0] * 100), side(losing(100, 50)))

    (finding,) = decide(compared, policy(AllOf([NOT_WORSE, MaxRate("error_rate", 0.05)]))).findings

    assert finding.outcome == "fail"
    assert finding.rule == "all of (polite >= baseline - 0.05; error_rate <= 0.05)"
    assert finding.observed.startswith("polite >= baseline - 0.05: −0.500")


def test_any_of_passes_where_one_does_at_its_share_of_alpha():
    """A gain that is certain at 0.05 is not at 0.05 / 3: McNemar's mid-p is 1/32."""
    compared = compare(side(losing(60, 4)), side([1.0] * 60))
    impossible = Threshold("polite", min=1.0), MaxRate("error_rate", 0.0001)

    assert decide(compared, policy(Superiority("polite"))).outcome == "pass"
    (finding,) = decide(compared, policy(AnyOf([Superiority("polite"), *impossible]))).findings
    assert finding.outcome == "inconclusive"
    (certain,) = decide(
        compare(side(losing(60, 20)), side([1.0] * 60)),
        policy(AnyOf([Superiority("polite"), *impossible])),
    ).findings
    assert certain.outcome == "pass"


def test_any_of_fails_only_where_all_do():
    compared = compare(side([1.0] * 100), side(losing(100, 50)))

    def outcome(*rules):
        return decide(compared, policy(AnyOf(rules))).outcome

    assert outcome(NOT_WORSE, Threshold("polite", min=0.9)) == "fail"
    assert outcome(NOT_WORSE, Threshold("polite", min=0.5)) == "inconclusive"


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_a_rule_of_rules_has_some(kind):
    with pytest.raises(ConfigError) as empty:
        kind([])
    with pytest.raises(ConfigError) as strange:
        kind(["polite"])

    assert str(empty.value) == (
        f"{kind.__name__}: has no rules. List them: rules: [{{_target_: …}}, …]"
    )
    assert str(strange.value) == f"{kind.__name__}: 'polite' is no rule. Give each a _target_."


# --- several candidates ----------------------------------------------------------------------


def test_the_best_of_five_has_to_be_surer_than_one():
    baseline = side([1.0] * 10 + [0.0] * 90)
    lucky = compare(baseline, side([1.0] * 15 + [0.0] * 85))
    others = [compare(baseline, baseline)] * 4

    (alone,) = decide_all([[lucky]], policy(Superiority("polite")))
    among = decide_all([[each] for each in [lucky, *others]], policy(Superiority("polite")))

    assert alone.outcome == "pass"
    assert [verdict.outcome for verdict in among] == ["inconclusive"] * 5


def test_a_candidate_that_was_decided_earlier_keeps_its_share():
    """A pass leaves more of alpha to the others; what is open does not."""
    baseline = side([1.0] * 10 + [0.0] * 90)
    gate = policy(Superiority("polite"))
    lucky = compare(baseline, side([1.0] * 15 + [0.0] * 85))
    (surely,) = decide_all([[compare(baseline, side([1.0] * 100))]], gate)
    (open_,) = decide_all([[compare(baseline, baseline)]], gate)

    (alone,) = decide_all([[lucky]], gate)
    (beside,) = decide_all([[lucky]], gate, [surely] * 4)
    (among,) = decide_all([[lucky]], gate, [open_] * 4)

    assert (surely.outcome, open_.outcome) == ("pass", "inconclusive")
    assert [each.outcome for each in (alone, beside, among)] == ["pass", "pass", "inconclusive"]


def test_one_of_several_may_be_chosen_or_every_one_has_to_pass():
    baseline = side([1.0] * 400)
    good, bad = compare(baseline, baseline), compare(baseline, side(losing(400, 100)))
    every, best = policy(NOT_WORSE), policy(NOT_WORSE, select="best_passing")

    verdicts = decide_all([[good], [bad]], every)

    assert [verdict.outcome for verdict in verdicts] == ["pass", "fail"]
    assert settle(verdicts, every) == "fail"
    assert settle(verdicts, best) == "pass"
    assert settle(decide_all([[bad], [bad]], best), best) == "fail"
    assert settle([], best) == "pass"


def test_a_further_baseline_has_to_be_matched_as_well():
    """Three small losses, each within the margin, are one large loss against the first version."""
    previous, anchor = side(losing(400, 40)), side([1.0] * 400)
    candidate = side(losing(400, 44))

    alone = decide(compare(previous, candidate), policy(NOT_WORSE))
    both = decide(compare(previous, candidate), policy(NOT_WORSE), [compare(anchor, candidate)])

    assert (alone.outcome, both.outcome) == ("pass", "fail")
    assert [finding.against for finding in both.findings] == ["", "app-basic-git-a41e0d70"]
    assert both.reason.startswith(
        "polite >= baseline - 0.05 against app-basic-git-a41e0d70 does not hold: −0.110"
    )


# --- rollout and alerts ----------------------------------------------------------------------


@pytest.mark.parametrize(("n_gained", "share"), [(0, 0.1), (2, 0.25), (5, 0.5), (60, 1.0)], ids=str)
def test_the_surer_the_gain_the_more_users_get_it(n_gained, share):
    compared = compare(side(losing(400, n_gained)), side([1.0] * 400))

    assert decide(compared, policy(NOT_WORSE)).rollout == share


def test_nothing_is_rolled_out_that_did_not_pass():
    undecided = decide(compare(side([1.0] * 20), side([1.0] * 20)), policy(NOT_WORSE))
    failed = decide(compare(side([1.0] * 100), side(losing(100, 50))), policy(NOT_WORSE))

    assert (undecided.outcome, undecided.rollout) == ("inconclusive", 0)
    assert (failed.outcome, failed.rollout) == ("fail", 0)


def test_primary_metrics_alone_say_how_many_users():
    ids = [1.0] * 400
    compared = compare(side(losing(400, 60), more={"right": ids}), side(ids, more={"right": ids}))
    rules = NOT_WORSE, NonInferiority("right")

    assert decide(compared, policy(*rules)).rollout == 0.1
    assert decide(compared, policy(*rules, primary=("polite",))).rollout == 1.0


# --- planned looks ---------------------------------------------------------------------------


def looked(baseline, candidate, gate):
    """What `look_by_look` makes of two complete evaluations."""
    order = [case.id for case in baseline.dataset.shuffled(0)]

    def compare_at(look):
        seen = order[: prefix(len(order), look, gate.looks)]
        return [[compare(restrict(baseline, seen), restrict(candidate, seen))]]

    (found,) = look_by_look(compare_at, gate)
    return found.verdict


def test_what_is_plain_is_decided_early():
    gate = policy(NOT_WORSE, looks=5)

    loss = looked(side([1.0] * 200), side([0.0] * 200), gate)
    same = looked(side([1.0] * 1000), side([1.0] * 1000), gate)

    assert (loss.outcome, loss.look, loss.n_cases) == ("fail", 1, 40)
    assert (same.outcome, same.look, same.n_cases) == ("pass", 1, 200)


def test_what_is_never_plain_is_looked_at_to_the_end():
    verdict = looked(side([1.0] * 30), side([1.0] * 30), policy(NOT_WORSE, looks=3))

    assert (verdict.outcome, verdict.look, verdict.n_cases) == ("inconclusive", 3, 30)


def test_looks_that_are_not_evaluated_yet_are_not_taken():
    assert look_by_look(lambda _look: [None], policy(NOT_WORSE, looks=5)) == []


def test_a_candidate_is_looked_at_as_far_as_it_was_evaluated():
    """One that is decided needs no more cases; one that ends undecided keeps its last verdict."""
    gate = policy(NOT_WORSE, looks=3)
    baseline, same, bad = side([1.0] * 90), side([1.0] * 90), side([0.0] * 90)

    def look(ends, first=1):
        def compare_at(look):
            seen = [case.id for case in baseline.dataset.cases[: 30 * look]]
            base = restrict(baseline, seen)
            return [
                [compare(base, restrict(each, seen))] if look <= end else None
                for each, end in zip((bad, same), ends, strict=True)
            ]

        found = look_by_look(compare_at, gate, first)
        return [(each.verdict.outcome, each.verdict.look) for each in found]

    assert look((1, 3)) == [("fail", 1), ("pass", 3)]
    assert look((3, 2)) == [("fail", 1), ("inconclusive", 2)]
    assert look((3, 3), first=2) == [("fail", 2), ("pass", 3)]
    assert look((3, 1), first=2) == []


@pytest.mark.parametrize(("truth", "wrong"), [(0.80, "fail"), (0.75, "pass")])
def test_five_looks_are_wrong_no_more_often_than_alpha(truth, wrong):
    """5 % of 120 is 6, and 14 is beyond the 99.9 % quantile; five looks at 0.05 would be wrong in
    about 14 %."""
    rng, outcomes = random.Random(6), Counter()
    for _ in range(120):
        pairs = [(flip(rng, 0.8), flip(rng, truth)) for _ in range(150)]
        outcomes[judged({"polite": pairs}, [NOT_WORSE], looks=5)["verdict"]] += 1

    assert outcomes[wrong] <= 14


@pytest.mark.parametrize("looks", [0, 21])
def test_looks_are_few(looks):
    with pytest.raises(ConfigError) as refused:
        policy(looks=looks)

    assert str(refused.value) == f"gate=test: looks {looks} is no number from 1 to 20. Try 5."


def test_there_are_two_ways_to_select():
    with pytest.raises(ConfigError) as refused:
        policy(select="best")

    assert str(refused.value) == (
        "gate=test: select 'best' is unknown. Choose every or best_passing."
    )


# --- advice ----------------------------------------------------------------------------------


def test_repeats_are_advised_where_they_are_the_noise():
    """Each case is right every other time, in both versions: more repeats settle that."""
    rng = random.Random(0)

    def noisy():
        return evaluation(
            {name: [float(rng.random() < 0.5) for _ in range(4)] for name in names(60)}
        )

    (finding,) = decide(compare(noisy(), noisy()), policy(NOT_WORSE)).findings

    assert finding.outcome == "inconclusive"
    assert finding.needed_cases > 60
    assert finding.needed_repeats > 4
    assert f", or {finding.needed_repeats} repeats of these, would decide" in finding.advice


def test_without_repeats_nobody_knows_what_they_would_do():
    (finding,) = decide(compare(side([1.0] * 30), side([1.0] * 30)), policy(NOT_WORSE)).findings

    assert finding.needed_repeats is None
    assert "repeats" not in finding.advice


def test_no_error_of_a_hundred_proves_nothing_about_one_percent():
    compared = compare(side([1.0] * 100), side([1.0] * 100))

    (finding,) = decide(compared, policy(MaxRate("error_rate", 0.01))).findings

    assert (finding.outcome, finding.needed_cases) == ("inconclusive", 299)
    assert finding.advice == "0 errors prove below 1 % only from 299 cases: add 199."


def test_few_independent_cases_are_taken_with_care():
    (finding,) = decide(compare(side([0.0] * 6), side([1.0] * 6)), policy(NOT_WORSE)).findings

    assert finding.observed.endswith(
        "6 cases; few independent cases: take it with care; needs > −0.05"
    )


def test_a_rule_of_ones_own_still_only_needs_a_comparison_and_a_policy():
    def covers(comparison, _policy):
        return Finding(rule="covers", metric="", outcome="pass", observed=f"{comparison.n_cases}")

    verdict = decide(compare(side([1.0] * 5), side([1.0] * 5)), policy(covers))

    assert (verdict.outcome, verdict.findings[0].observed) == ("pass", "5")
    assert replace(verdict).rollout == 0.1


# --- what must never pass --------------------------------------------------------------------


def test_a_guardrail_is_not_taken_for_safe_on_the_cases_of_an_early_look():
    """60 of 300 cases hardly show a loss of 0.09: nine of ten would ship on them, all of them let
    two of ten through."""
    rng = random.Random(9)
    shipped = 0
    for _ in range(40):
        pairs = [(flip(rng, 0.8), flip(rng, 0.71)) for _ in range(300)]
        shipped += judged({"q": pairs}, [NoRegression("q")], looks=5)["ship"] is not None

    assert shipped <= 14


@pytest.mark.parametrize(
    "rule", [NoFailures(), Threshold("polite", min=0.5, evidence="point")], ids=["count", "point"]
)
def test_a_number_that_decides_by_itself_waits_for_all_cases(rule):
    verdict = looked(side([1.0] * 100), side([1.0] * 100), policy(NOT_WORSE, rule, looks=2))

    assert (verdict.outcome, verdict.look, verdict.n_cases) == ("pass", 2, 100)


@pytest.mark.parametrize("clusters", [None, "same"], ids=["one case", "one cluster"])
def test_a_guardrail_says_nothing_about_one_independent_case(clusters):
    n = 100 if clusters else 1
    more = {"cases": [Case(id=name, inputs={}, cluster="same") for name in names(n)]}
    baseline, candidate = side([1.0] * n, **more), side([0.0] * n, **more)

    assert decide(compare(baseline, candidate), policy(NoRegression())).outcome == "inconclusive"


def test_failing_does_not_help_where_less_is_better():
    """An agent that fails on every toxic case is not the less toxic one."""
    baseline = side([0.3] * 200)
    candidate = side(["RuntimeError: down"] * 67 + [0.0] * 133)
    rules = MaxRate("polite", 0.05), NonInferiority("polite", direction="lower")
    low = wanted_low(rules)

    verdict = decide(compare(baseline, candidate, lower=low), policy(*rules))

    assert low == {"polite"}
    assert verdict.outcome == "fail"
    assert verdict.findings[0].estimate == pytest.approx(67 / 200)


def test_a_score_that_some_rule_wants_high_is_not_wanted_low():
    assert wanted_low([NOT_WORSE, Threshold("polite", max=1.0)]) == set()
    assert wanted_low([AllOf([Threshold("toxic", max=0.1)]), NoRegression("toxic")]) == {"toxic"}


def test_unscored_results_count_though_every_case_has_a_score():
    """Seven of ten repeats that a judge could not score are not hidden by the other three."""
    whole, sparse = [[0.6] * 10] * 60, [[1.0] * 3 + [None] * 7] * 60

    verdict = decide(compare(side(whole), side(sparse)), policy(NOT_WORSE))

    assert verdict.outcome == "invalid"
    assert verdict.findings[0].observed == (
        "420 of 600 results of the candidate have no polite, more than the limit of 10 %"
    )


def test_a_tail_of_which_too_much_is_missing_is_not_judged():
    """The slowest 5 % time out: what is left looks fast."""
    seconds = [1 + n / 400 for n in range(400)]
    columns = {
        "case_id": names(400),
        "scorer": ["latency_s"] * 400,
        "baseline": seconds,
        "candidate": [*seconds[:380], *[None] * 20],
    }

    (finding,) = vcmp.decide(columns, policy(MaxRatio("latency_s", stat="p95")))["findings"]

    assert finding["outcome"] == "inconclusive"
    assert finding["observed"] == (
        "20 of 400 cases have no latency_s, and a 95th percentile may lie among them"
    )


def test_a_margin_of_the_whole_range_is_refused():
    rule = NonInferiority("polite", margin=5)

    (finding,) = decide(compare(side([1.0] * 50), side([0.0] * 50)), policy(rule)).findings

    assert (finding.outcome, finding.observed) == (
        "invalid", "a margin of 5.00 is all that polite can lose",
    )  # fmt: skip
    assert finding.advice == ("Give the margin in points of the score: 0.05 is five in a hundred.")


def test_several_thresholds_share_alpha_for_a_failure():
    """Ten metrics at their limit: one by one 46 % of them would fail somewhere."""
    rng = random.Random(4)
    rules = [Threshold(f"m{n}", min=0.8) for n in range(10)]
    failed = 0
    for _ in range(50):
        metrics = {rule.metric: [(1.0, flip(rng, 0.8)) for _ in range(60)] for rule in rules}
        failed += judged(metrics, rules)["verdict"] == "fail"

    assert failed <= 9


def test_any_of_many_raises_no_more_alarms_than_one():
    rng = random.Random(8)
    rules = [NonInferiority(f"m{n}") for n in range(10)]
    alarms = 0
    for _ in range(40):
        metrics = {
            rule.metric: [(flip(rng, 0.8), flip(rng, 0.8)) for _ in range(60)] for rule in rules
        }
        alarms += judged(metrics, [AnyOf(rules)])["alert"] is not None

    assert alarms <= 8


def test_any_of_cannot_be_judged_where_the_rest_is_refuted():
    compared = compare(side([1.0] * 100), side(losing(100, 50)))

    verdict = decide(compared, policy(AnyOf([NOT_WORSE, NonInferiority("polight")])))

    assert verdict.outcome == "invalid"


def test_candidates_are_ranked_by_the_same_metrics():
    """Not by those on which each of them happens to be worst."""
    ones, low = [1.0] * 100, [0.5] * 100
    baseline = side(low, more={"b": low, "c": ones})
    large = side([0.7] * 100, more={"b": [0.7] * 100, "c": ones})
    small = side([0.51] * 100, more={"b": [0.51] * 100, "c": ones})
    gate = policy(NoRegression(), select="best_passing")
    comparisons = [compare(baseline, small), compare(baseline, large)]

    verdicts = decide_all([[each] for each in comparisons], gate)

    assert rank(verdicts, comparisons, gate) == [1, 0]


def test_a_metric_marked_safety_has_bounds_that_hold_everywhere():
    compared = compare(side([1.0] * 200), side(losing(200, 10)))

    def low(**more):
        (finding,) = decide(compared, policy(Threshold("polite", min=0.9, **more))).findings
        return finding.interval.low

    assert low(safety=True) < low()
