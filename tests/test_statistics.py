"""Bounds on differences hold: against published numbers, against simulated truth, at the edges."""

import math
import random
import subprocess
import sys
import time
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.statistics import (
    Change,
    ClusterMean,
    PairedCounts,
    mean_over_clusters,
    measured_mean,
    needed_cases,
    p_value,
    paired_difference,
    rate,
    visible_loss,
)

score = st.sampled_from([0.0, 0.25, 0.5, 1.0])
amount = st.integers(0, 5000)
row = st.tuples(score, score, st.sampled_from("abcdefgh"))
rows = st.lists(row, min_size=1, max_size=40)
LEVELS = (0.5, 0.2, 0.05, 0.025, 0.01, 0.0005, 1e-8)


def alone(n):
    """`n` cases without a cluster."""
    return [str(number) for number in range(n)]


def columns(cases):
    return [list(column) for column in zip(*cases, strict=True)]


def mean_of(differences, clusters=None):
    """The evidence of differences of scores; of lone cases when no clusters are given."""
    names = clusters or alone(len(differences))
    return mean_over_clusters(differences, names, full_range=1.0, limits=(-1.0, 1.0))


def not_worse(low, _high):
    return low > -0.05


# Yes or no, once for each case


def test_tango_bounds_are_the_published_ones():
    """Fagerland, Lydersen and Laake (2014, Statistics in Medicine 33), airway data: 1 gained and 7
    lost of 21 give -0.517 to -0.026."""
    bounds = PairedCounts(n=21, gained=1, lost=7).bounds(0.025)

    assert bounds == pytest.approx((-0.517, -0.026), abs=0.0005)


def test_three_losses_of_twelve_are_not_certain():
    """The score alone would say so (z = 1.73); McNemar's mid-p is 0.0625."""
    assert PairedCounts(n=12, gained=0, lost=3).bounds(0.05)[1] == 0.0
    assert PairedCounts(n=12, gained=0, lost=4).bounds(0.05)[1] < 0.0


def test_yes_or_no_of_lone_cases_is_counted_and_the_rest_is_averaged():
    lone = paired_difference([0.0, 1.0], [1.0, 1.0], ["a", "b"])

    assert lone == PairedCounts(n=2, gained=1, lost=0)
    assert isinstance(paired_difference([0.0, 1.0], [1.0, 1.0], ["a", "a"]), ClusterMean)
    assert isinstance(paired_difference([0.0, 0.5], [1.0, 1.0], ["a", "b"]), ClusterMean)


def outcomes(n, gain, loss):
    """All counts of gains and losses that are at all likely, with their probabilities."""
    most = round(n * (gain + loss) + 7 * math.sqrt(n * (gain + loss))) + 3
    for gained in range(min(n, most) + 1):
        for lost in range(min(n, most) - gained + 1):
            same = n - gained - lost
            log = math.lgamma(n + 1) - sum(map(math.lgamma, (gained + 1, lost + 1, same + 1)))
            log += gained * math.log(gain) + lost * math.log(loss)
            log += same * math.log(1 - gain - loss)
            if log > -14:
                yield PairedCounts(n=n, gained=gained, lost=lost), math.exp(log)


@pytest.mark.parametrize(
    ("n", "gain", "least"),
    [
        (30, 0.01, 0.0),
        (30, 0.05, 0.03),
        (30, 0.2, 0.04),
        (100, 0.01, 0.03),
        (100, 0.05, 0.04),
        (100, 0.2, 0.04),
        (300, 0.01, 0.04),
        (300, 0.05, 0.04),
    ],
)
def test_counts_err_no_more_often_than_they_say_over_all_outcomes(n, gain, least):
    """True sizes, without simulation: of shipping a loss of 0.05, and of blocking no change."""
    shipped = sum(p * not_worse(*e.bounds(0.05)) for e, p in outcomes(n, gain, gain + 0.05))
    blocked = sum(p * (e.bounds(0.05)[1] < 0) for e, p in outcomes(n, gain, gain))

    assert least < shipped < 0.055
    assert blocked < 0.0505


# Everything else in [0, 1]


@given(rows)
def test_the_width_is_never_zero_and_the_estimate_is_inside(cases):
    baseline, candidate, clusters = columns(cases)
    for names in (clusters, alone(len(clusters))):
        evidence = paired_difference(baseline, candidate, names)
        low, high = evidence.bounds(0.05)

        assert -1 <= low <= evidence.estimate + 1e-12
        assert evidence.estimate - 1e-12 <= high <= 1
        assert high - low > 0.001


@given(rows)
def test_swapping_the_sides_swaps_the_bounds(cases):
    baseline, candidate, clusters = columns(cases)
    there = paired_difference(baseline, candidate, clusters).bounds(0.05)
    back = paired_difference(candidate, baseline, clusters).bounds(0.05)

    assert there == pytest.approx((-back[1], -back[0]), abs=1e-7)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(cases, chance):
    shuffled = chance.sample(cases, len(cases))

    there, back = (paired_difference(*columns(one)).bounds(0.05) for one in (cases, shuffled))

    assert there == pytest.approx(back, abs=1e-7)


@given(rows)
def test_a_smaller_alpha_never_narrows(cases):
    baseline, candidate, clusters = columns(cases)
    for names in (clusters, alone(len(clusters))):
        bounds = [paired_difference(baseline, candidate, names).bounds(a) for a in LEVELS]

        assert [low for low, _ in bounds] == sorted((low for low, _ in bounds), reverse=True)
        assert [high for _, high in bounds] == sorted(high for _, high in bounds)


def test_identical_scores_prove_nothing_on_5_cases_and_enough_on_400():
    """Of 59 cases on, none is left out that changes with a probability of 0.05."""
    few, many = mean_of([0.0] * 5), mean_of([0.0] * 400)

    assert few.bounds(0.05)[0] < -0.4
    assert -0.01 < many.bounds(0.05)[0] < 0
    assert not_worse(*mean_of([0.0] * 59).bounds(0.05))
    assert not not_worse(*mean_of([0.0] * 58).bounds(0.05))


def test_identical_scores_in_clusters_prove_less_than_of_lone_cases():
    """Halfway between 44 and 132 cases: clusters may change as a whole, or not."""
    together = mean_of([0.0] * 132, [str(number // 3) for number in range(132)])

    assert together.bounds(0.05) == pytest.approx(mean_of([0.0] * 76).bounds(0.05), abs=2e-4)


@pytest.mark.parametrize("loss", [1.0, 0.95])
def test_twelve_cases_in_twenty_identical_repeats_are_twelve(loss):
    """Three that got worse are three flips of a coin, however small the spread of repeats."""
    three, five = ([1.0 - loss] * lost + [1.0] * (12 - lost) for lost in (3, 5))

    assert paired_difference([1.0] * 12, three, alone(12)).bounds(0.05)[1] == 0.0
    assert paired_difference([1.0] * 12, five, alone(12)).bounds(0.05)[1] < 0.0


@pytest.mark.parametrize("per_cluster", [1, 2])
@pytest.mark.parametrize("loss", [1.0, 0.9])
def test_a_huge_loss_is_certain_on_thirty_cases(loss, per_cluster):
    names = [str(number // per_cluster) for number in range(30)]
    candidate = [1.0 - loss] * 15 + [1.0] * 15

    assert paired_difference([1.0] * 30, candidate, names).bounds(0.005)[1] < 0


def test_scores_that_barely_vary_do_not_rule_out_that_a_few_cases_lose_everything():
    """One in twenty that does is absent from every fifth sample of 30 cases."""
    calm = [0.001 * (-1) ** n for n in range(100)]

    assert not not_worse(*mean_of(calm[:30]).bounds(0.05))
    assert not_worse(*mean_of(calm).bounds(0.05))


def test_cases_of_one_cluster_count_less_than_lone_ones():
    """Ten paraphrases of ten questions are not a hundred questions."""
    baseline = [1.0] * 100
    candidate = [0.0] * 10 + [1.0] * 90
    together = [str(number // 10) for number in range(100)]

    lone = paired_difference(baseline, candidate, alone(100)).bounds(0.05)
    clustered = paired_difference(baseline, candidate, together).bounds(0.05)

    assert lone[1] < 0 < clustered[1]
    assert clustered[0] < lone[0]


def test_clusters_of_unequal_size_tell_less_about_their_variance():
    """As many as there would be of one size: 5.9 of 20, when cases of a cluster are alike."""
    chance = random.Random(2)
    sizes = [1, 1, 2, 2, 3, 4, 5, 7, 10, 15] * 2
    names = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    shared = {name: chance.gauss(0, 0.2) for name in names}

    spread = mean_of([shared[name] for name in names], names).spread

    assert spread.n_clusters == 20
    alike = sum(size**2 for size in sizes) ** 2 / sum(size**4 for size in sizes)
    assert spread.effective == pytest.approx(alike, rel=0.05)
    assert spread.t(0.05) == pytest.approx(2.0, abs=0.03)  # of 20 equal ones: 1.73


def test_a_variance_that_rests_on_few_cases_is_less_sure():
    """Four of a hundred that changed, against all of them: the same variance."""
    few, many = mean_of([1.0, -1.0] * 2 + [0.0] * 96), mean_of([0.2, -0.2] * 50)

    assert few.variance == pytest.approx(many.variance)
    for alpha, longer in ((0.05, 1.12), (0.0005, 1.2)):
        assert few.bounds(alpha)[1] > longer * many.bounds(alpha)[1]


def test_few_large_losses_move_the_lower_bound_out_further_than_the_upper_one_in():
    """By Hall's transformation, whose moves inwards are believed by half."""
    calm = [0.02, -0.02] * 48
    skewed, even = mean_of([-1.0] * 4 + calm), mean_of([-1.0, 1.0] * 2 + calm)

    outwards = (skewed.estimate - skewed.bounds(0.05)[0]) / -even.bounds(0.05)[0]
    inwards = (skewed.bounds(0.05)[1] - skewed.estimate) / even.bounds(0.05)[1]

    assert outwards > 1.25
    assert 0.85 < inwards < 1


# Measurements


def test_a_measurement_that_grew_in_every_case_certainly_grew():
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


# Simulated truth


def rare_losses(chance, n, loss):
    """Repeats that vary a little, and a share of cases that lose everything."""
    return mean_of([-1.0 if chance.random() < loss else chance.gauss(0, 0.1) for _ in range(n)])


def grades(chance, n, loss):
    """A judge's grades: most stay, some move by a step."""
    weights = [0.12 + 2 * loss, 0.76 - 4 * loss, 0.12 + 2 * loss]
    weights = [weights[0] + 2 * loss, weights[1], weights[2] - 2 * loss]
    return mean_of(chance.choices([-0.25, 0.0, 0.25], weights, k=n))


def repeats(chance, n, loss):
    """Three runs of each case on either side."""

    def score_of(p):
        return sum(chance.random() < p for _ in range(3)) / 3

    rates = [chance.betavariate(1.6, 0.4) for _ in range(n)]
    return mean_of([score_of(p * (1 - loss / 0.8)) - score_of(p) for p in rates])


def clusters_of(*sizes):
    def draw(chance, n, loss):
        names: list[str] = []
        while len(names) < n:
            size = sizes[len(set(names)) % len(sizes)]
            names += [str(len(names))] * min(size, n - len(names))
        shared = {name: chance.gauss(-loss, 0.1) for name in names}
        return mean_of([shared[name] + chance.gauss(0, 0.2) for name in names], names)

    return draw


TRUTHS = [rare_losses, grades, repeats, clusters_of(5), clusters_of(3), clusters_of(2, 4, 6, 8)]


@pytest.mark.parametrize("draw", TRUTHS)
def test_bounds_are_wrong_as_often_as_they_say(draw):
    """Of shipping a loss of 0.05, and of a bound above it: 5 % on either side, give or take."""
    chance, runs = random.Random(11), 500

    bounds = [draw(chance, 100, 0.05).bounds(0.05) for _ in range(runs)]

    assert sum(low > -0.05 for low, _ in bounds) < 0.085 * runs
    assert sum(high < -0.05 for _, high in bounds) < 0.085 * runs


def rare_changes(chance, n, _loss):
    """As many cases that gain everything as lose everything, and the rest nearly the same."""
    weights = [0.02, 0.02, 0.96]
    return mean_of([c + chance.gauss(0, 0.02) for c in chance.choices([1, -1, 0], weights, k=n)])


@pytest.mark.parametrize("draw", [*TRUTHS, rare_changes])
def test_an_unchanged_version_is_blocked_no_more_often_than_said(draw):
    chance, runs = random.Random(12), 500

    blocked = sum(draw(chance, 100, 0.0).bounds(0.05)[1] < 0 for _ in range(runs))

    assert blocked < 0.08 * runs


def test_bounds_find_nearly_as_much_as_when_the_variance_is_known():
    """A z test passes 80 % of unchanged versions here; Student's t is to lose a few points."""
    chance, runs = random.Random(13), 600

    passed = sum(
        not_worse(*mean_of([chance.gauss(0, 0.2011) for _ in range(100)]).bounds(0.05))
        for _ in range(runs)
    )

    assert 0.74 < passed / runs < 0.84


# What the evidence would be


def changes():
    return [
        PairedCounts(n=100, gained=2, lost=8),
        mean_of([-0.5] * 8 + [0.25] * 6 + [0.0] * 86),
        mean_of([-0.5] * 8 + [0.25] * 6 + [0.0] * 86, [str(n // 3) for n in range(100)]),
        measured_mean([float(n % 7) for n in range(100)], alone(100), largest=7.0),
    ]


@pytest.mark.parametrize("evidence", changes())
def test_had_nothing_changed_the_bounds_would_lie_evenly_around_zero(evidence):
    """And about as far apart: cases differ as much as they did."""
    assert isinstance(evidence, Change)
    unchanged = evidence.unchanged()
    low, high = unchanged.bounds(0.05)

    assert unchanged.estimate == 0
    assert low == pytest.approx(-high)
    width = math.fsum(evidence.bounds(0.05)[side] * (2 * side - 1) for side in (0, 1))
    assert high - low == pytest.approx(width, rel=0.2)
    assert unchanged.n == evidence.n


@pytest.mark.parametrize("evidence", changes())
def test_four_times_the_cases_halve_the_width(evidence):
    low, high = (evidence.scaled(4).bounds(0.05)[side] for side in (0, 1))
    before = evidence.bounds(0.05)

    assert high - low == pytest.approx((before[1] - before[0]) / 2, rel=0.2)
    assert evidence.scaled(4).n == 400


@pytest.mark.parametrize("evidence", changes())
@pytest.mark.parametrize(("limit", "side"), [(0.0, "high"), (-0.2, "low"), (-4.0, "low")])
def test_a_p_value_is_the_level_at_which_the_bound_passes_the_limit(evidence, limit, side):
    p = p_value(evidence, limit, side)

    def passes(alpha):
        low, high = evidence.bounds(alpha)
        return low > limit if side == "low" else high < limit

    assert p == 1.0 or passes(p)
    assert p == 1e-12 or not passes(min(0.5, p * 0.9998))


def test_p_values_are_told_between_one_in_a_trillion_and_one_half():
    evidence = PairedCounts(n=1000, gained=10, lost=20)

    assert p_value(evidence, -0.9, "low") == 1e-12
    assert p_value(evidence, 0.0, "low") == 1.0
    assert 0.02 < p_value(evidence, 0.0, "high") < 0.05


def test_the_visible_loss_is_that_of_the_normal_formula():
    """(1.645 + 0.842) * 0.2 / sqrt(400)."""
    seen = visible_loss(mean_of([-0.2, 0.2] * 200), 0.05)

    assert seen == pytest.approx(0.0249, rel=0.02)


def test_the_visible_loss_comes_to_be_seen():
    """With four of five samples or a few more, over all outcomes, when 12 % of the cases change."""
    loss = visible_loss(PairedCounts(n=100, gained=6, lost=6), 0.05)

    seen = sum(
        p for e, p in outcomes(100, 0.06 - loss / 2, 0.06 + loss / 2) if e.bounds(0.05)[1] < 0
    )

    assert 0.78 < seen < 0.9


# How many cases a decision takes


def test_the_advice_on_cases_comes_true():
    """With as many cases as advised, four of five runs decide."""
    # the normal formula: ((1.645 + 0.842) * 0.3 / 0.05) ** 2 = 222
    chance = random.Random(3)
    n = needed_cases(mean_of([0.3, -0.3] * 20), not_worse, alpha=0.05)

    passed = sum(
        not_worse(*mean_of([chance.gauss(0.0, 0.3) for _ in range(n)]).bounds(0.05))
        for _ in range(300)
    )

    assert 0.9 * 222 < n < 1.1 * 222
    assert 0.72 < passed / 300 < 0.88


@pytest.mark.parametrize("gain", [0.025, 0.05])
def test_the_advice_on_yes_or_no_comes_true_over_all_outcomes(gain):
    """Of undecided samples of 100 in which 5 % or 10 % of the cases changed."""
    chance = random.Random(4)
    advised = []
    while len(advised) < 60:
        drawn = chance.choices([1, -1, 0], [gain, gain, 1 - 2 * gain], k=100)
        sample = PairedCounts(n=100, gained=drawn.count(1), lost=drawn.count(-1))
        low, high = sample.bounds(0.05)
        if low <= -0.05 and high >= 0:
            advised.append(needed_cases(sample.unchanged(), not_worse, 0.05))

    n = round(median(advised))
    passed = sum(p * not_worse(*e.bounds(0.05)) for e, p in outcomes(n, gain, gain))

    assert 0.72 < passed < 0.88


def test_fewer_cases_may_be_advised_than_there_are():
    assert needed_cases(PairedCounts(n=3000, gained=15, lost=15), not_worse, 0.05) < 150


def test_no_number_of_cases_is_advised_when_the_truth_lies_on_the_limit():
    pilot = mean_of([0.3, -0.3] * 20)

    assert needed_cases(pilot, lambda low, high: low > 0 or high < 0, alpha=0.05) is None


# Cost


@pytest.mark.parametrize("per_cluster", [1, 5])
def test_a_thousand_cases_take_milliseconds(per_cluster):
    chance = random.Random(5)
    before, after = ([chance.random() for _ in range(1000)] for _ in range(2))
    names = [str(number // per_cluster) for number in range(1000)]
    paired_difference(before, after, names).bounds(0.05)  # imports scipy

    taken = []
    for _ in range(5):
        started = time.perf_counter()
        evidence = paired_difference(before, after, names)
        for alpha in (0.05, 0.025, 0.006):
            evidence.bounds(alpha)
        taken.append(time.perf_counter() - started)

    assert min(taken) < 0.01


def test_importing_the_statistics_imports_neither_numpy_nor_scipy():
    """`--help` and configuration errors go through this module."""
    code = "import sys, vcmp.gates; sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_rate_is_a_mean_of_one_version_and_knows_no_unchanged():
    assert not isinstance(rate([1.0, 0.0], alone(2)), Change)


@pytest.mark.parametrize("n_clusters", [9, 12, 15])
def test_few_clusters_of_which_most_are_lost_are_a_loss(n_clusters):
    """A sample of clusters that are nearly all alike is very skewed, and says nothing by that."""
    clusters = [f"k{place // 3}" for place in range(3 * n_clusters)]
    lost = [0.0] * (len(clusters) - 3) + [1.0] * 3

    low, high = paired_difference([1.0] * len(clusters), lost, clusters).bounds(0.05)

    assert low >= -1
    assert high < -0.3
