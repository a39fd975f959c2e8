"""Bounds that hold: against published numbers, against simulated truth, and at the edges."""

import math
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.statistics import (
    ClusterMean,
    PairedCounts,
    geometric_mean_ratio,
    mean_over_clusters,
    measured_mean,
    needed_cases,
    paired_difference,
    quantile_ratio,
    rate,
    total_ratio,
)

score = st.sampled_from([0.0, 0.25, 0.5, 1.0])
amount = st.integers(0, 5000)
row = st.tuples(score, score, st.sampled_from("abcdefgh"))
rows = st.lists(row, min_size=1, max_size=40)


def alone(n):
    """`n` cases without a cluster."""
    return [str(number) for number in range(n)]


def columns(cases):
    return [list(column) for column in zip(*cases, strict=True)]


def test_tango_bounds_are_the_published_ones():
    """Fagerland, Lydersen and Laake (2014, Statistics in Medicine 33), airway data: 1 gained and 7
    lost of 21 give -0.517 to -0.026."""
    bounds = PairedCounts(n=21, gained=1, lost=7).bounds(0.025)

    assert bounds == pytest.approx((-0.517, -0.026), abs=0.0005)


def test_wilson_bounds_are_the_published_ones():
    """Newcombe (1998, Statistics in Medicine 17), table I: 81 of 263 gives 0.2553 to 0.3662."""
    values = [1.0] * 81 + [0.0] * 182

    assert rate(values, alone(263)).bounds(0.025) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_clopper_pearson_bounds_are_the_published_ones():
    """Newcombe (1998), table I: 15 of 148 gives 0.0578 to 0.1617."""
    values = [1.0] * 15 + [0.0] * 133

    bounds = rate(values, alone(148), exact=True).bounds(0.025)

    assert bounds == pytest.approx((0.0578, 0.1617), abs=5e-5)


def test_no_failure_proves_a_rate_below_one_percent_from_299_cases():
    assert rate([0.0] * 298, alone(298), exact=True).bounds(0.05)[1] > 0.01
    assert rate([0.0] * 299, alone(299), exact=True).bounds(0.05)[1] < 0.01


def test_three_losses_of_twelve_are_not_certain():
    """The score alone would say so (z = 1.73); McNemar's mid-p is 0.0625."""
    assert PairedCounts(n=12, gained=0, lost=3).bounds(0.05)[1] == 0.0
    assert PairedCounts(n=12, gained=0, lost=4).bounds(0.05)[1] < 0.0


def test_yes_or_no_of_lone_cases_is_counted_and_the_rest_is_averaged():
    lone = paired_difference([0.0, 1.0], [1.0, 1.0], ["a", "b"])

    assert lone == PairedCounts(n=2, gained=1, lost=0)
    assert isinstance(paired_difference([0.0, 1.0], [1.0, 1.0], ["a", "a"]), ClusterMean)
    assert isinstance(paired_difference([0.0, 0.5], [1.0, 1.0], ["a", "b"]), ClusterMean)


@given(rows)
def test_the_width_is_never_zero_and_the_estimate_is_inside(cases):
    baseline, candidate, clusters = columns(cases)
    for names in (clusters, alone(len(clusters))):
        evidence = paired_difference(baseline, candidate, names)
        low, high = evidence.bounds(0.05)

        assert -1 <= low <= evidence.estimate + 1e-12
        assert evidence.estimate - 1e-12 <= high <= 1
        assert high - low > 0.001


def test_a_measurement_that_grew_in_every_case_certainly_grew():
    """Twelve answers, each longer: bounded scores' pseudo-clusters would let it have shrunk."""
    before = [100.0 + 10 * n for n in range(12)]
    after = [b + 60 + 20 * (n % 6) for n, b in enumerate(before)]

    low, high = paired_difference(before, after, alone(12), bounded=False).bounds(0.025)

    assert 60 < low < 110 < high < 160
    assert (low + high) / 2 == pytest.approx(110)


def test_a_measurement_has_students_interval():
    """Mean 3, standard deviation sqrt(2.5), n 5; t(0.975, 4) = 2.7764."""
    bounds = measured_mean([1.0, 2.0, 3.0, 4.0, 5.0], alone(5), largest=5.0).bounds(0.025)

    half = 2.7764 * math.sqrt(2.5 / 5)
    assert bounds == pytest.approx((3 - half, 3 + half), abs=1e-3)


def test_equal_measurements_are_no_proof_of_equality():
    """As if one more cluster had not changed, or, where none did, had changed by all there is."""
    changed = measured_mean([62.0] * 135, [str(n % 42) for n in range(135)], largest=500.0)
    same = measured_mean([0.0] * 42, alone(42), largest=500.0)

    assert changed.bounds(0.025) == pytest.approx((62 - 2.9, 62 + 2.9), abs=0.05)
    assert same.bounds(0.025) == pytest.approx((-23.5, 23.5), abs=0.05)
    assert measured_mean([62.0] * 3, alone(3), largest=62.0).bounds(0.025)[0] < 0


@given(st.lists(st.tuples(amount, amount, st.sampled_from("abcde")), min_size=1, max_size=20))
def test_the_width_of_a_measurement_is_never_zero(cases):
    evidence = paired_difference(*columns(cases), bounded=False)
    low, high = evidence.bounds(0.05)

    assert low < evidence.estimate < high


@given(rows)
def test_swapping_the_sides_swaps_the_bounds(cases):
    baseline, candidate, clusters = columns(cases)
    there = paired_difference(baseline, candidate, clusters).bounds(0.05)
    back = paired_difference(candidate, baseline, clusters).bounds(0.05)

    assert there == pytest.approx((-back[1], -back[0]), abs=1e-9)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(cases, chance):
    shuffled = chance.sample(cases, len(cases))

    bounds = [
        paired_difference(*columns(either)).bounds(0.05) + rate(*columns(either)[1:]).bounds(0.05)
        for either in (cases, shuffled)
    ]

    assert bounds[0] == pytest.approx(bounds[1], abs=1e-12)


@given(rows)
def test_a_smaller_alpha_never_narrows(cases):
    baseline, candidate, clusters = columns(cases)
    for evidence in (
        paired_difference(baseline, candidate, clusters),
        rate(candidate, clusters),
        rate(candidate, clusters, exact=True),
    ):
        wide, narrow = evidence.bounds(0.01), evidence.bounds(0.10)

        assert wide[0] <= narrow[0] + 1e-12
        assert narrow[1] <= wide[1] + 1e-12


def test_cases_of_one_cluster_count_less_than_lone_ones():
    """Ten paraphrases of ten questions are not a hundred questions."""
    baseline = [1.0] * 100
    candidate = [0.0] * 10 + [1.0] * 90
    together = [str(number // 10) for number in range(100)]

    lone = paired_difference(baseline, candidate, alone(100)).bounds(0.05)
    clustered = paired_difference(baseline, candidate, together).bounds(0.05)

    assert lone[1] < 0 < clustered[1]
    assert clustered[0] < lone[0]


def test_a_rate_of_clustered_cases_has_wider_bounds():
    values = [0.0] * 20 + [1.0] * 80
    together = [str(number // 10) for number in range(100)]

    assert rate(values, together).bounds(0.05)[0] < rate(values, alone(100)).bounds(0.05)[0] - 0.05


def test_a_rate_of_equal_values_in_clusters_proves_less_than_of_lone_cases():
    """A hundred passes in four clusters are more than four, and far from a hundred."""
    clusters = [str(number % 4) for number in range(100)]

    assert rate([1.0] * 100, clusters).bounds(0.05) < rate([1.0] * 20, alone(20)).bounds(0.05)
    assert rate([1.0] * 100, clusters).bounds(0.05) > rate([1.0] * 4, alone(4)).bounds(0.05)


def test_every_further_error_raises_the_bound():
    """None seen in clusters may not look worse than one seen."""
    clusters = [str(number // 3) for number in range(135)]
    highs = [
        rate([1.0] * errors + [0.0] * (135 - errors), clusters, exact=True).bounds(0.05)[1]
        for errors in range(12)
    ]

    assert highs == sorted(highs)


def test_thirty_of_thirty_do_not_prove_ninety_five_percent():
    low, high = rate([1.0] * 30, alone(30)).bounds(0.05)

    assert 0.90 < low < 0.95
    assert high == 1.0


def coverage(draw, truth, runs=400):
    """Shares of runs whose one-sided 95 % bounds exclude the truth: below it, and above it."""
    chance = random.Random(7)
    bounds = [draw(chance).bounds(0.05) for _ in range(runs)]
    return (
        sum(low > truth for low, _ in bounds) / runs,
        sum(high < truth for _, high in bounds) / runs,
    )


def test_bounds_on_yes_or_no_are_wrong_as_often_as_they_say():
    """Losses of 12 %, gains of 7 %: 5 % are wrong on either side, give or take the simulation."""

    def draw(chance):
        changes = chance.choices([1, -1, 0], [0.07, 0.12, 0.81], k=100)
        return PairedCounts(n=100, gained=changes.count(1), lost=changes.count(-1))

    assert max(coverage(draw, -0.05)) < 0.085
    assert min(coverage(draw, -0.05)) > 0.02


def test_bounds_on_clustered_scores_are_wrong_as_often_as_they_say():
    def draw(chance):
        clusters = alone(30)
        shared = [chance.gauss(0, 0.1) for _ in clusters]
        differences = [shared[n // 3] + chance.gauss(-0.05, 0.15) for n in range(90)]
        names = [clusters[n // 3] for n in range(90)]
        return mean_over_clusters(differences, names, full_range=1.0)

    assert max(coverage(draw, -0.05)) < 0.085
    assert min(coverage(draw, -0.05)) > 0.02


@pytest.mark.parametrize("kind", ["gmr", "total", "p50"])
def test_bounds_on_ratios_of_heavy_tailed_latency_are_wrong_as_often_as_they_say(kind):
    def draw(chance):
        common = [chance.gauss(0, 0.8) for _ in range(60)]
        before, after = (
            [shift * math.exp(c + chance.gauss(0, 0.4)) for c in common] for shift in (1.0, 1.1)
        )
        return ratio_of(kind, before, after, alone(60))

    assert max(coverage(draw, 1.1, runs=200)) < 0.105


def ratio_of(kind, before, after, clusters):
    if kind in ("p50", "p95"):
        return quantile_ratio(before, after, clusters, {"p50": 0.5, "p95": 0.95}[kind])
    return {"gmr": geometric_mean_ratio, "total": total_ratio}[kind](before, after, clusters)


@pytest.mark.parametrize("kind", ["gmr", "total", "p50", "p95"])
def test_a_ratio_is_what_its_name_says(kind):
    before = [1.0, 2.0, 3.0, 4.0, 5.0]
    after = [2.0, 2.0, 6.0, 4.0, 5.0]
    expected = {"gmr": 2 ** (2 / 5), "total": 19 / 15, "p50": 4 / 3, "p95": 5.8 / 4.8}[kind]

    evidence = ratio_of(kind, before, after, alone(5))
    low, high = evidence.bounds(0.05)

    assert evidence.estimate == pytest.approx(expected)
    assert low < expected < high


@pytest.mark.parametrize("kind", ["gmr", "total", "p50", "p95"])
def test_equal_latencies_of_few_cases_prove_little_and_of_many_much(kind):
    few, many = ([1.0 + n for n in range(size)] for size in (4, 200))

    assert ratio_of(kind, few, few, alone(4)).bounds(0.05)[1] > 1.2
    assert 1.0 < ratio_of(kind, many, many, alone(200)).bounds(0.05)[1] < 1.05


def test_resampling_gives_the_same_bounds_every_time():
    before, after = [1.0, 2.0, 5.0, 3.0], [2.0, 1.0, 6.0, 4.0]

    bounds = {quantile_ratio(before, after, alone(4), 0.5).bounds(0.05) for _ in range(2)}

    assert len(bounds) == 1


def test_the_advice_on_cases_comes_true():
    """With as many cases as advised, four of five runs decide."""

    def draw(chance, n):
        differences = [chance.gauss(0.0, 0.3) for _ in range(n)]
        return mean_over_clusters(differences, alone(n), full_range=1.0)

    def decided(low, _high):
        return low > -0.05

    # the normal formula: ((1.645 + 0.842) * 0.3 / 0.05) ** 2 = 222
    chance = random.Random(3)
    pilot = mean_over_clusters([0.3, -0.3] * 20, alone(40), full_range=1.0)
    n = needed_cases(pilot, decided, alpha=0.05)
    share = sum(decided(*draw(chance, n).bounds(0.05)) for _ in range(300)) / 300

    assert 0.8 * 222 < n < 1.25 * 222
    assert 0.72 < share < 0.88


def test_no_number_of_cases_is_advised_when_the_truth_lies_on_the_limit():
    pilot = mean_over_clusters([0.3, -0.3] * 20, alone(40), full_range=1.0)

    assert needed_cases(pilot, lambda low, high: low > 0 or high < 0, alpha=0.05) is None


def test_importing_the_statistics_imports_neither_numpy_nor_scipy():
    """`--help` and configuration errors go through this module."""
    code = "import sys, vcmp.gates; sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
