"""The gate: what may ship, what may not, and what is too early to say."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import OPENAI, SCRIPTED, evaluation
from vcmp import gates
from vcmp.comparison import compare, examine
from vcmp.errors import ConfigError
from vcmp.gates import (
    MaxRate,
    MaxRatio,
    NoFailures,
    NonInferiority,
    NoRegression,
    Policy,
    Superiority,
    Threshold,
    combine,
    decide,
    decide_alone,
    rank,
)
from vcmp.types import Case, Finding

GATES = Path(__file__).parent.parent / "conf" / "gate"
NOT_WORSE = NonInferiority("polite")


def side(values, *, clusters=None, latencies=None, **more):
    """An evaluation of one case for each value; a latency and a cluster for each, too."""
    names = [f"c{number:03}" for number in range(len(values))]
    if clusters:
        pairs = zip(names, clusters, strict=True)
        more["cases"] = [Case(id=name, inputs={}, cluster=cluster) for name, cluster in pairs]
    made = evaluation(dict(zip(names, values, strict=True)), **more)
    if latencies:
        pairs = zip(made.results, latencies, strict=True)
        results = tuple(replace(result, latency_s=seconds) for result, seconds in pairs)
        made = replace(made, results=results)
    return made


def judge(baseline, candidate, *rules, **policy):
    return decide(compare(baseline, candidate), Policy(name="test", rules=rules, **policy))


def find(baseline, candidate, rule, **policy):
    """The one finding of one rule."""
    (finding,) = judge(baseline, candidate, rule, **policy).findings
    return finding


def test_identical_scores_of_five_cases_prove_nothing():
    assert judge(side([1.0] * 5), side([1.0] * 5), NOT_WORSE).outcome == "inconclusive"


def test_identical_scores_of_four_hundred_cases_pass():
    assert judge(side([1.0] * 400), side([1.0] * 400), NOT_WORSE).outcome == "pass"
    assert judge(side([0.7] * 400), side([0.7] * 400), NOT_WORSE).outcome == "pass"


@pytest.mark.parametrize("rule", [NOT_WORSE, Superiority("polite"), Threshold("polite", min=0.5)])
def test_one_case_decides_nothing(rule):
    finding = find(side([0.0]), side([1.0]), rule)

    assert finding.outcome == "inconclusive"
    assert finding.advice == "Add cases: at least 4 that do not share a cluster."


def test_a_hundred_cases_of_one_cluster_decide_nothing():
    one = {"clusters": ["same"] * 100}

    finding = find(side([1.0] * 100, **one), side([0.0] * 100, **one), NOT_WORSE)

    assert finding.outcome == "inconclusive"
    assert ", 100 cases in 1 cluster; nothing is decided on fewer than 4" in finding.observed


def test_three_losses_in_twelve_cases_of_twenty_repeats_are_not_certain():
    """The cases are independent, the repeats are not: McNemar's mid-p is 0.0625."""
    baseline = side([[1.0] * 20] * 12)
    candidate = side([[0.0] * 20] * 3 + [[1.0] * 20] * 9)

    assert judge(baseline, candidate, NOT_WORSE).outcome == "inconclusive"


def test_a_huge_loss_of_thirty_cases_fails():
    finding = find(side([1.0] * 30), side([0.0] * 15 + [1.0] * 15), NOT_WORSE)

    assert (finding.outcome, finding.alert, finding.n) == ("fail", "critical", 30)
    assert finding.rule == "polite >= baseline - 0.05"
    assert finding.observed == (
        "−0.500 (1.000 → 0.500), 95 % CI −0.668 to −0.330, 30 cases; needs > −0.05"
    )
    assert finding.advice == "15 cases got worse and 0 better: read the worst first."


def test_an_inconclusive_difference_says_how_many_cases_would_decide():
    finding = find(side([1.0] * 80), side([0.0] * 2 + [1.0] * 78), NOT_WORSE)

    assert finding.outcome == "inconclusive"
    assert finding.needed_cases == 98
    assert finding.advice == (
        "About 98 cases would decide, with a chance of 80 %, if nothing changed. "
        "These 80 would show a loss of 0.061 or more."
    )


def test_where_there_were_cases_enough_a_small_loss_is_likely():
    finding = find(side([1.0] * 120), side([0.0] * 3 + [1.0] * 117), NOT_WORSE)

    assert finding.outcome == "inconclusive"
    assert finding.needed_cases == 98
    assert finding.advice == (
        "98 cases decide with a chance of 80 % if nothing changed, and these are 120, so a small "
        "loss is likely. Read the cases that got worse, or evaluate about 163 cases, if it goes on "
        "like this."
    )


def test_a_certain_loss_inside_the_margin_passes_with_an_alert():
    finding = find(side([0.8, 0.9] * 200), side([0.79, 0.88] * 200), NOT_WORSE)

    assert (finding.outcome, finding.alert) == ("pass", "loss")
    assert finding.observed.endswith("; certainly worse than the baseline; needs > −0.05")


def test_lower_is_better_where_the_rule_says_so():
    up, down = side([0.9] * 60), side([0.5] * 60)
    rule = NonInferiority("polite", direction="lower")

    assert find(down, up, rule).outcome == "fail"
    assert find(up, down, rule).outcome == "pass"
    assert find(up, down, rule).rule == "polite <= baseline + 0.05"


def test_errors_and_measurements_are_better_when_lower():
    sound, broken = side([1.0] * 60), side([1.0] * 30 + ["boom"] * 30)

    assert find(sound, broken, NonInferiority("error_rate")).outcome == "fail"
    assert find(broken, sound, Superiority("error_rate")).outcome == "pass"
    slow = side([1.0] * 60, latency_s=2.0)
    assert find(slow, sound, Superiority("latency_s")).outcome == "pass"
    assert find(sound, slow, Superiority("latency_s")).rule == "latency_s < baseline"


def test_an_agent_that_fails_on_forty_percent_fails_the_gate():
    """Its errors are evidence, not gaps in it."""
    candidate = side([1.0] * 60 + ["boom"] * 40)

    verdict = judge(side([1.0] * 100), candidate, NOT_WORSE, MaxRate("error_rate", max=0.05))

    assert verdict.outcome == "fail"
    assert [finding.outcome for finding in verdict.findings] == ["fail", "fail"]


@given(st.floats(0, 1), st.integers(0, 1000))
def test_an_agent_that_raises_never_looks_better(level, seed):
    """Whatever the scores of the rest: failing on 30 % of the cases wins nothing."""
    failing = set(random.Random(seed).sample(range(40), 12))
    baseline = side([level] * 40)
    candidate = side(["boom" if number in failing else level for number in range(40)])

    verdict = judge(baseline, candidate, Superiority("polite"), Superiority("polite", "point"))

    assert verdict.outcome == "fail"


def test_unscored_cases_beyond_the_limit_make_the_verdict_invalid():
    candidate = side([1.0] * 85 + [None] * 15)

    verdict = judge(side([1.0] * 100), candidate, NOT_WORSE, NoFailures())

    assert verdict.outcome == "invalid"
    assert verdict.reason == (
        "polite >= baseline - 0.05 cannot be judged: 15 of 100 cases have no polite on both "
        "sides, more than the limit of 10 %."
    )
    assert judge(side([1.0] * 100), candidate, NOT_WORSE, missing_limit=0.15).outcome == "pass"


def test_an_interrupted_evaluation_is_invalid():
    whole = side([1.0] * 100)
    cut = replace(whole, results=whole.results[:60])

    for rule in (NOT_WORSE, NoFailures(), MaxRate("error_rate", 0.2), Threshold("polite", min=0.1)):
        assert judge(whole, cut, rule).outcome == "invalid"


def test_no_case_in_common_is_invalid():
    """One side scored what the other did not."""
    baseline, candidate = side([1.0] * 50 + [None] * 50), side([None] * 50 + [1.0] * 50)

    finding = find(baseline, candidate, NOT_WORSE)

    assert finding.outcome == "invalid"
    assert finding.observed == "no case was scored on 'polite' by both versions"
    assert finding.advice == "See in the scorer's errors why, mend it and evaluate again."


@pytest.mark.parametrize(
    "rule",
    [
        NonInferiority("polit"),
        Superiority("polit", "point"),
        Threshold("polit", min=0.0),
        Threshold("polit", max=1.0, evidence="point"),
        MaxRate("polit", max=0.9),
        MaxRatio("polit"),
        NoRegression("polit"),
    ],
)
def test_a_metric_that_nobody_scored_never_passes(rule):
    """Not even where failed agents count as zeros on every name."""
    finding = find(side([1.0] * 99 + ["boom"]), side([1.0] * 99 + ["boom"]), rule)

    assert finding.outcome == "invalid"
    assert finding.observed == (
        "no case was scored on 'polit'; the scorers are polite. Did you mean 'polite'?"
    )


def test_a_scorer_that_one_side_lacks_is_named():
    scores = {f"c{number:03}": 1.0 for number in range(20)}
    finding = find(side([1.0] * 20), side([1.0] * 20, more={"warm": scores}), Superiority("warm"))

    assert finding.outcome == "invalid"
    assert finding.observed == (
        "no case was scored on 'warm' by both versions: "
        "the baseline was evaluated without this scorer"
    )
    assert finding.advice == "Evaluate the baseline with this scorer."


def test_a_latency_rule_on_scripted_answers_is_undecided():
    scripted = side([1.0] * 100, answerer=SCRIPTED)

    for rule in (MaxRatio("latency_s"), Threshold("latency_s/p95", max=9, evidence="point")):
        finding = find(scripted, scripted, rule)

        assert finding.outcome == "inconclusive"
        assert finding.observed.endswith(
            "was not measured: the answers are scripted, no language model was called"
        )


def test_thirty_of_thirty_do_not_prove_ninety_five_percent():
    finding = find(side([1.0] * 30), side([1.0] * 30), Threshold("polite", min=0.95))

    assert finding.outcome == "inconclusive"
    assert finding.rule == "polite >= 0.95"


@pytest.mark.parametrize(
    ("n_good", "evidence", "outcome"),
    [
        (95, "bound", "pass"),
        (82, "bound", "inconclusive"),
        (82, "point", "pass"),
        (78, "bound", "inconclusive"),
        (78, "point", "fail"),
        (60, "bound", "fail"),
    ],
)
def test_a_threshold_by_bound_or_by_point(n_good, evidence, outcome):
    candidate = side([1.0] * n_good + [0.0] * (100 - n_good))

    for metric in ("polite", "polite/mean"):
        rule = Threshold(metric, min=0.80, evidence=evidence)
        assert find(side([1.0] * 100), candidate, rule).outcome == outcome


def test_a_threshold_can_have_two_limits():
    """Each answer has 20 tokens."""
    rule = Threshold("output_tokens", min=10, max=15)

    finding = find(side([1.0] * 60), side([1.0] * 60), rule)

    assert (finding.rule, finding.outcome) == ("output_tokens >= 10 and <= 15", "fail")


def test_a_threshold_by_point_reads_any_public_metric():
    candidate = side([1.0] * 10, latencies=[1.0] * 9 + [5.0])
    rules = [
        Threshold("latency_s/p50", max=1.0, evidence="point"),
        Threshold("latency_s/p95", max=3.0, evidence="point"),
        Threshold("cost_usd/total", max=0.01, evidence="point"),
        Threshold("error_rate", max=0.0, evidence="point"),
    ]

    verdict = judge(side([1.0] * 10), candidate, *rules)

    assert [finding.outcome for finding in verdict.findings] == ["pass", "fail", "pass", "pass"]
    assert verdict.findings[1].observed == "3.200, 10 cases"


def test_an_unknown_public_metric_is_invalid():
    rule = Threshold("latency_s/p90", max=3.0, evidence="point")

    finding = find(side([1.0] * 10), side([1.0] * 10), rule)

    assert finding.outcome == "invalid"
    assert finding.observed == ("there is no metric 'latency_s/p90'. Did you mean 'latency_s/p99'?")


def test_superiority_by_point_takes_any_gain_and_no_tie():
    better, worse = side([1.0] * 10), side([1.0] * 9 + [0.9])

    assert find(worse, better, Superiority("polite")).outcome == "inconclusive"
    assert find(worse, better, Superiority("polite", "point")).outcome == "pass"
    assert find(better, better, Superiority("polite", "point")).outcome == "fail"


def test_no_failures_counts_results():
    finding = find(side([1.0] * 4), side([1.0, "boom", 1.0, "boom"]), NoFailures())

    assert finding.outcome == "fail"
    assert finding.observed == "2 of 4 results failed, the first of them c001"
    assert find(side([1.0] * 4), side([1.0] * 4), NoFailures()).outcome == "pass"


def test_no_error_in_a_hundred_cases_does_not_prove_one_percent():
    """That takes 299 cases."""
    few, many = side([1.0] * 100), side([1.0] * 299)

    assert find(few, few, MaxRate("error_rate", max=0.01)).outcome == "inconclusive"
    assert find(many, many, MaxRate("error_rate", max=0.01)).outcome == "pass"


@pytest.mark.parametrize("stat", ["p50", "p95", "gmr", "total"])
@pytest.mark.parametrize(("factor", "outcome"), [(1.05, "pass"), (1.5, "fail")])
def test_a_ratio_of_latencies(stat, factor, outcome):
    chance = random.Random(5)
    seconds = [chance.lognormvariate(0, 0.6) for _ in range(320)]
    slower = [factor * second * chance.lognormvariate(0, 0.05) for second in seconds]
    baseline, candidate = (side([1.0] * 320, latencies=times) for times in (seconds, slower))

    finding = find(baseline, candidate, MaxRatio("latency_s", max=1.2, stat=stat))

    assert finding.outcome == outcome
    assert finding.alert
    assert finding.estimate == pytest.approx(factor, rel=0.1)


def test_a_95th_percentile_of_few_cases_decides_nothing():
    finding = find(side([1.0] * 299), side([1.0] * 299), MaxRatio("latency_s", stat="p95"))

    assert (finding.outcome, finding.report_only) == ("inconclusive", True)
    assert finding.observed == (
        "1.000 x baseline over 299 cases, too few for a 95th percentile: "
        "reported only, it neither proves nor blocks"
    )
    assert (finding.estimate, finding.n, finding.needed_cases) == (1.0, 299, 300)
    assert finding.advice == "Use stat: p50 or gmr, or evaluate at least 300 cases."


def test_a_baseline_that_costs_nothing_has_no_ratio():
    free = side([1.0] * 50)
    free = replace(
        free,
        results=tuple(replace(r, usage=replace(r.usage, cost_usd=0.0)) for r in free.results),
    )

    finding = find(free, side([1.0] * 50), MaxRatio("cost_usd", stat="total"))

    assert finding.outcome == "inconclusive"
    assert finding.observed == "cost_usd is 0 in total: there is no ratio"


def losing(n_lost):
    """A pair of versions with 5 scorers; the candidate loses cases of one of them."""
    names = [f"c{number:03}" for number in range(100)]
    same = {f"s{number}": dict.fromkeys(names, 1.0) for number in range(4)}
    return (
        side([1.0] * 100, more=same),
        side([0.0] * n_lost + [1.0] * (100 - n_lost), more=same),
    )


def test_an_alarm_over_all_scores_is_held_to_holms_level():
    """Four losses are certain for one scorer alone (mid-p 0.031), not for one of five."""
    assert find(*losing(4), NoRegression("polite")).outcome == "fail"
    assert find(*losing(4), NoRegression()).outcome == "pass"
    assert find(*losing(8), NoRegression()).outcome == "fail"


def test_an_alarm_names_the_score_that_was_lost():
    finding = find(*losing(8), NoRegression())

    assert (finding.metric, finding.rule) == ("polite", "no certain loss of any score")
    assert finding.observed.startswith("polite −0.080 (1.000 → 0.920), 95 % CI ")
    assert finding.alert


def test_a_failed_rule_outweighs_an_undecided_one():
    verdict = judge(
        side([1.0] * 30), side([0.0] * 15 + [1.0] * 15), Threshold("polite", min=0.45), NOT_WORSE
    )

    assert [finding.outcome for finding in verdict.findings] == ["inconclusive", "fail"]
    assert verdict.outcome == "fail"
    assert verdict.reason.startswith("polite >= baseline - 0.05 does not hold: −0.500 (1.000")
    assert "needs" not in verdict.reason


def test_the_reason_is_a_primary_metrics_where_one_decided():
    rules = (NoFailures(), Threshold("polite", min=0.8))

    verdict = judge(side([1.0] * 60), side([1.0] * 60), *rules, primary=("polite",))

    assert verdict.reason.startswith("polite >= 0.80 holds: 1.000, 95 % CI 0.940 to 1.000, ")


def test_without_rules_nothing_is_decided():
    verdict = judge(side([1.0]), side([0.0]))

    assert (verdict.outcome, verdict.findings) == ("pass", ())
    assert verdict.reason == "The gate has no rule, so nothing was decided."


def alone(values, *rules, **more):
    return decide_alone(examine(side(values, **more)), Policy(name="test", rules=rules))


def test_a_version_alone_is_judged_by_the_rules_that_need_no_baseline():
    rules = (NOT_WORSE, NoFailures(), Threshold("polite", min=0.5), MaxRatio("latency_s"))

    verdict = alone([1.0] * 59 + ["boom"], *rules, MaxRate("error_rate", max=0.2))

    assert [(finding.rule, finding.outcome) for finding in verdict.findings] == [
        ("no case fails", "fail"),
        ("polite >= 0.50", "pass"),
        ("error_rate <= 0.20", "pass"),
    ]
    assert (verdict.outcome, verdict.variant) == ("fail", "basic")
    assert verdict.reason == (
        "no case fails does not hold: 1 of 60 results failed, the first of them c059."
    )


def test_a_rule_of_the_users_own_is_asked_alone_only_when_it_says_so():
    class Own:
        def __call__(self, comparison, policy):
            return Finding(rule="own", metric="", outcome="fail", observed="seen")

    class Alone(Own):
        needs_baseline = False

    assert alone([1.0] * 5, Own()).findings == ()
    assert alone([1.0] * 5, Alone()).outcome == "fail"


@pytest.mark.parametrize("rules", [(), (NOT_WORSE,)])
def test_without_a_rule_about_one_version_alone_nothing_is_decided(rules):
    verdict = alone([1.0] * 5, *rules)

    assert (verdict.outcome, verdict.findings) == ("pass", ())
    assert verdict.reason == (
        "Nothing was compared, and no rule of the gate looks at one version alone."
    )


def test_an_evaluation_in_which_everything_failed_is_invalid_without_any_rule():
    """A run that answered nothing must not be green."""
    verdict = alone(["boom"] * 5)

    assert verdict.outcome == "invalid"
    assert verdict.reason == "some case is answered cannot be judged: all 5 results failed."
    assert alone(["boom"] * 4 + [0.0]).outcome == "pass"


@pytest.mark.parametrize("n_kept", [0, 3])
def test_an_interrupted_evaluation_is_invalid_without_any_rule(n_kept):
    whole = side([1.0] * 5)

    partial = replace(whole, results=whole.results[:n_kept])
    verdict = decide_alone(examine(partial), Policy(name="test"))

    assert verdict.outcome == "invalid"
    assert verdict.findings[0].observed == f"{5 - n_kept} of 5 results are missing"


def test_a_metric_that_nobody_scored_is_told_without_a_second_side():
    (unscored,) = alone([None] * 5, Threshold("polite", min=0.5)).findings
    (some,) = alone([None] + [1.0] * 4, Threshold("polite", min=0.5)).findings

    assert unscored.observed == "no case was scored on 'polite'"
    assert some.observed == "1 of 5 cases have no polite, more than the limit of 10 %"


def test_a_number_that_decides_by_itself_on_few_clusters_is_called_unproven():
    few = side([1.0] * 6, clusters=["a", "a", "a", "b", "b", "b"])

    threshold = find(few, few, Threshold("polite", min=0.8, evidence="point"))
    quantile = find(few, few, Threshold("latency_s/p95", max=9, evidence="point"))
    many = find(side([1.0] * 10), side([1.0] * 10), Threshold("polite", 0.8, evidence="point"))

    assert threshold.outcome == "pass"
    assert threshold.observed.endswith("; seen, not proven: 6 cases in 2 clusters")
    assert quantile.observed == "0.500; seen, not proven: 6 cases in 2 clusters"
    assert many.observed.endswith(", 10 cases")


def test_the_one_sided_bound_is_told_only_where_the_interval_does_not_say_it():
    """With 115 equal cases the interval ends below 0.97 and the bound above it."""
    close = find(side([1.0] * 115), side([1.0] * 115), Threshold("polite", min=0.97))
    clear = find(side([1.0] * 115), side([1.0] * 115), Threshold("polite", min=0.90))

    assert (close.outcome, clear.outcome) == ("pass", "pass")
    assert "; 95 % sure of at least 0.97" in close.observed
    assert "sure" not in clear.observed


def test_small_measurements_keep_their_digits():
    """A cost of 0.0005 dollars is not 0.000."""
    finding = find(side([1.0] * 9), side([1.0] * 9), Threshold("cost_usd", max=0.0125))

    assert finding.rule == "cost_usd <= 0.0125"
    assert finding.observed.startswith("0.001, ") or finding.observed.startswith("0.0005, ")


@given(st.randoms(use_true_random=False))
def test_rows_in_another_order_give_the_same_verdict(chance):
    baseline = side([1.0, 0.5, 0.25] * 20, clusters=[str(n // 4) for n in range(60)])
    candidate = side([1.0, 0.25, 0.5, 0.0] * 15, clusters=[str(n // 4) for n in range(60)])
    shuffled = replace(candidate, results=tuple(chance.sample(candidate.results, 60)))
    rules = (NOT_WORSE, Threshold("polite", min=0.4), MaxRatio("latency_s"), NoRegression())

    assert judge(baseline, candidate, *rules) == judge(baseline, shuffled, *rules)


@pytest.mark.parametrize(
    ("outcomes", "gravest"),
    [
        ([], "pass"),
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
        (["fail", "invalid"], "invalid"),
    ],
)
def test_a_sweep_is_as_bad_as_its_worst_candidate(outcomes, gravest):
    assert combine(outcomes) == gravest


def test_candidates_are_ranked_by_outcome_then_by_gain_then_by_name():
    baseline = side([0.5] * 100)
    scores = {"even": 0.5, "best": 0.9, "better": 0.7, "also": 0.7, "worst": 0.1}
    candidates = [side([value] * 100, variant=name) for name, value in scores.items()]
    candidates.append(side([1.0] * 50 + [None] * 50, variant="unscored"))
    policy = Policy(name="test", rules=(NOT_WORSE,))

    comparisons = [compare(baseline, candidate) for candidate in candidates]
    verdicts = [decide(comparison, policy) for comparison in comparisons]
    order = rank(verdicts, comparisons, policy)

    assert [verdicts[place].variant for place in order] == [
        "best", "also", "better", "even", "worst", "unscored"
    ]  # fmt: skip


def test_primary_metrics_rank_before_those_of_rules():
    kind = {f"c{number:03}": 1.0 for number in range(10)}
    cold = dict.fromkeys(kind, 0.0)
    baseline = side([0.5] * 10, more={"warm": kind})
    first = side([0.9] * 10, more={"warm": cold}, variant="first")
    second = side([0.6] * 10, more={"warm": kind}, variant="second")
    comparisons = [compare(baseline, candidate) for candidate in (first, second)]

    for primary, best in ((("polite",), 0), (("warm/mean",), 1)):
        policy = Policy(name="test", primary=primary)
        verdicts = [decide(comparison, policy) for comparison in comparisons]
        assert rank(verdicts, comparisons, policy)[0] == best


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Threshold("polite"),
            "Threshold: polite has no limit. Give min, max or both.",
        ),
        (
            lambda: Threshold("polite", min=0.9, max=0.1),
            "Threshold: min 0.9 is above max 0.1. Swap or drop one.",
        ),
        (
            lambda: Threshold("polite", min="high"),
            "Threshold: min 'high' is not a number. Correct the value.",
        ),
        (
            lambda: Threshold("polite", min=0.8, evidence="sure"),
            "Threshold: evidence 'sure' is unknown. Choose bound or point.",
        ),
        (
            lambda: Threshold("latency_s/p95", max=2),
            "Threshold: 'latency_s/p95' is one number without a bound. Set evidence: point.",
        ),
        (
            lambda: NonInferiority("polite", margin=-0.1),
            "NonInferiority: margin -0.1 is not above 0. To ask for a gain use Superiority.",
        ),
        (
            lambda: NonInferiority("polite", direction="up"),
            "NonInferiority: direction 'up' is unknown. Choose higher or lower.",
        ),
        (
            lambda: NonInferiority("latency_s/p95"),
            "NonInferiority: 'latency_s/p95' is no mean over cases. "
            "Use MaxRatio with metric: latency_s and stat: p95.",
        ),
        (
            lambda: Superiority("polite/max"),
            "Superiority: 'polite/max' is no mean over cases. Give metric: polite.",
        ),
        (
            lambda: Superiority("polite", "sure"),
            "Superiority: evidence 'sure' is unknown. Choose bound or point.",
        ),
        (
            lambda: MaxRatio("latency_s", max=0),
            "MaxRatio: max 0 is not above 0. Try 1.2.",
        ),
        (
            lambda: MaxRatio("latency_s", stat="p99"),
            "MaxRatio: stat 'p99' is unknown. Choose p50, p95, gmr or total.",
        ),
        (
            lambda: MaxRatio("cost_usd/total"),
            "MaxRatio: 'cost_usd/total' is no mean over cases. "
            "Use MaxRatio with metric: cost_usd and stat: total.",
        ),
        (
            lambda: MaxRate("error_rate", max=0),
            "MaxRate: max 0 is not between 0 and 1. For a rate of exactly 0 use NoFailures.",
        ),
        (
            lambda: MaxRate("latency_s", max=0.5),
            "MaxRate: 'latency_s' is no rate. Use Threshold or MaxRatio.",
        ),
        (
            lambda: Policy(name="strict", alpha=1.5),
            "gate=strict: alpha 1.5 is not between 0 and 0.5. Try 0.05.",
        ),
        (
            lambda: Policy(name="strict", missing_limit=2),
            "gate=strict: missing_limit 2 is no share of the cases from 0 to below 1. Try 0.10.",
        ),
        (
            lambda: Policy(name="strict", on_inconclusive="shrug"),
            "gate=strict: on_inconclusive 'shrug' is unknown. Choose block or allow.",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_told_when_it_is_built(build, message):
    with pytest.raises(ConfigError) as caught:
        build()

    assert str(caught.value) == message


def shipped(name):
    """A policy of conf/gate, built by hand."""
    made = yaml.safe_load((GATES / f"{name}.yaml").read_text(encoding="utf-8"))
    rules = []
    for rule in made.pop("rules"):
        kind = getattr(gates, rule.pop("_target_").removeprefix("vcmp.gates."))
        rules.append(kind(**rule))
    made["primary"] = tuple(made.get("primary", ()))
    return Policy(name=name, rules=tuple(rules), **made)


@pytest.mark.parametrize("per_cluster", [1, 3])
def test_release_passes_equal_versions_even_when_scripted(per_cluster):
    """As many cases as the sample has, and as few clusters."""
    scores = [1.0, 0.5, 1.0, 0.0] * 33
    clusters = [str(number // per_cluster) for number in range(132)]
    same = side(scores, clusters=clusters, metric="mentions_facts", answerer=SCRIPTED)

    assert decide(compare(same, same), shipped("release")).outcome == "pass"


def test_release_fails_a_version_that_loses_facts():
    baseline = side([1.0] * 120, metric="mentions_facts")
    candidate = side([0.5] * 30 + [1.0] * 90, metric="mentions_facts")

    assert decide(compare(baseline, candidate), shipped("release")).outcome == "fail"


@pytest.mark.parametrize(
    ("before", "after", "outcome"), [(0.78, 0.84, "pass"), (0.84, 0.84, "fail"), (0.6, 0.7, "fail")]
)
def test_thresholds_decide_as_the_guide_does(before, after, outcome):
    """On the numbers as seen, with five cases: at least 0.80 on both, and better than before."""
    relevance = {f"c{number:03}": 0.9 for number in range(5)}
    baseline, candidate = (
        side([value] * 5, metric="support_guidelines", more={"relevance_to_query": relevance})
        for value in (before, after)
    )

    assert decide(compare(baseline, candidate), shipped("thresholds")).outcome == outcome


def test_none_decides_nothing():
    broken = side(["boom"] * 5, answerer=OPENAI)

    assert decide(compare(side([1.0] * 5), broken), shipped("none")).outcome == "pass"
