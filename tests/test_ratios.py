"""Ratios mean what their names say, and their bounds hold where tails are long."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcmp.statistics import geometric_mean_ratio, needed_cases, quantile_ratio, total_ratio

KINDS = ["gmr", "total", "p50", "p95"]
ALPHAS = [0.0005, 0.005, 0.025, 0.05, 0.1, 0.2]


def alone(n):
    """`n` cases without a cluster."""
    return [f"{number:05}" for number in range(n)]


def in_clusters_of(size, n):
    return [str(number // size) for number in range(n)]


def ratio_of(kind, before, after, clusters, **options):
    if kind in ("p50", "p95"):
        q = {"p50": 0.5, "p95": 0.95}[kind]
        return quantile_ratio(before, after, clusters, q, **options)
    return {"gmr": geometric_mean_ratio, "total": total_ratio}[kind](before, after, clusters)


def latencies(random, n, *, together=0.5, sigma=1.0, ratio=1.2, size=1):
    """Two versions' lognormal latencies; `together` is the correlation of their logarithms."""
    group = np.repeat(random.standard_normal((2, n // size)), size, axis=1)
    common, other = math.sqrt(0.5) * (group + random.standard_normal((2, n)))
    if size == 1:
        common, other = random.standard_normal((2, n))
    late = together * common + math.sqrt(1 - together**2) * other
    return np.exp(sigma * common).tolist(), (ratio * np.exp(sigma * late)).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_ratio_is_what_its_name_says(kind):
    before = [1.0, 2.0, 3.0, 4.0, 5.0]
    after = [2.0, 2.0, 6.0, 4.0, 5.0]
    expected = {"gmr": 2 ** (2 / 5), "total": 19 / 15, "p50": 4 / 3, "p95": 5.8 / 4.8}[kind]

    evidence = ratio_of(kind, before, after, alone(5))
    low, high = evidence.bounds(0.05)

    assert evidence.estimate == pytest.approx(expected)
    assert (evidence.n, evidence.n_clusters) == (5, 5)
    assert low < expected < high


@pytest.mark.parametrize("kind", KINDS)
def test_equal_latencies_of_few_cases_prove_little_and_of_many_much(kind):
    few, many = ([1.0 + n for n in range(size)] for size in (4, 200))

    assert ratio_of(kind, few, few, alone(4)).bounds(0.05)[1] > 1.2
    assert 1.0 < ratio_of(kind, many, many, alone(200)).bounds(0.05)[1] < 1.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_ratio_that_is_the_same_in_every_case_is_not_told_without_doubt(kind):
    before = [1.0 + n for n in range(30)]

    low, high = ratio_of(kind, before, [2 * b for b in before], alone(30)).bounds(0.05)

    assert 1.8 < low < 1.99
    assert 2.01 < high < 2.2


@given(
    st.lists(st.tuples(*[st.floats(0.01, 1e4)] * 2, st.sampled_from("abcdefgh")), min_size=4),
    st.sampled_from(KINDS),
)
@example([(1, 1186, "a"), (1, 590, "b"), (1, 3, "a"), (2, 1, "a"), (1, 1, "c"), (6, 2, "b")], "gmr")
@settings(max_examples=40, deadline=None)
def test_a_smaller_alpha_never_narrows_and_no_width_is_zero(cases, kind):
    before, after, clusters = zip(*cases, strict=True)
    options = {"n_resamples": 100} if kind in ("p50", "p95") else {}
    evidence = ratio_of(kind, before, after, clusters, **options)

    bounds = [evidence.bounds(alpha) for alpha in ALPHAS]

    for (low, high), (inner_low, inner_high) in pairwise(bounds):
        assert 0 <= low <= inner_low * (1 + 1e-6)
        assert inner_high <= high * (1 + 1e-6)
    assert bounds[-1][0] < bounds[-1][1]
    assert bounds[-1][0] <= evidence.estimate * (1 + 1e-9)
    assert evidence.estimate <= bounds[-1][1] * (1 + 1e-9)


@pytest.mark.parametrize("kind", ["gmr", "total"])
def test_swapping_the_versions_turns_the_bounds_round(kind):
    before, after = latencies(np.random.default_rng(2), 40)

    low, high = ratio_of(kind, before, after, alone(40)).bounds(0.05)
    swapped = ratio_of(kind, after, before, alone(40)).bounds(0.05)

    assert swapped == pytest.approx((1 / high, 1 / low), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_the_unit_nor_the_order_of_cases_matters(kind):
    before, after = latencies(np.random.default_rng(2), 40, size=2)
    clusters = in_clusters_of(2, 40)
    in_ms = [[1000 * value for value in reversed(side)] for side in (before, after)]

    there = ratio_of(kind, before, after, clusters)
    again = ratio_of(kind, *in_ms, clusters[::-1])

    assert again.estimate == pytest.approx(there.estimate)
    assert again.bounds(0.05) == pytest.approx(there.bounds(0.05), rel=1e-4)


def test_versions_that_go_together_case_by_case_are_told_apart_by_less():
    """Repeating a case costs the other version the same, so its own size cancels; a bootstrap of
    one order statistic would not see it."""
    random = np.random.default_rng(8)
    before, after = latencies(random, 200, together=0.99, ratio=1.0)
    _, unrelated = latencies(random, 200, ratio=1.0)

    for kind in KINDS:
        low, high = ratio_of(kind, before, after, alone(200)).bounds(0.05)
        wide_low, wide_high = ratio_of(kind, before, unrelated, alone(200)).bounds(0.05)

        assert math.log(high / low) < 0.35 * math.log(wide_high / wide_low)


def test_one_expensive_case_does_not_pass_for_certainty():
    """It is most of both totals; the bounds are wide, and end where the cases' ratios do."""
    before, after = [1.0] * 29 + [5000.0], [1.3, 0.8] * 14 + [1.0, 5500.0]

    low, high = total_ratio(before, after, alone(30)).bounds(0.05)

    assert low == pytest.approx(0.8 * 0.8 / 1.3)
    assert high == pytest.approx(1.3 * 1.3 / 0.8)


def test_cases_that_cost_nothing_leave_the_ratio_without_a_limit():
    before, after = [0.0] * 5 + [3.0], [1.0] * 6

    assert total_ratio(before, after, alone(6)).bounds(0.05)[1] == math.inf


def test_a_long_tail_moves_the_bound_on_its_side_and_none_inwards():
    """By Student's t alone a cost's upper bound lies below the truth far more often than 5 %."""
    steady = [1.0] * 100
    tail = np.random.default_rng(3).lognormal(sigma=1.2, size=100).tolist()
    mean, error = np.mean(tail), np.std(tail, ddof=1) / 10

    low, high = total_ratio(steady, tail, alone(100)).bounds(0.05)

    assert low <= mean - 1.66 * error
    assert high > mean + 2.0 * error


def wrong(kind, runs, seed, n, *, size=1, truth=1.2, draw=latencies, **options):
    """Shares of runs whose 5 % bounds exclude the truth: below it, and above it."""
    random, counts, clusters = np.random.default_rng(seed), np.zeros(2), in_clusters_of(size, n)
    resampled = {"n_resamples": 400} if kind in ("p50", "p95") else {}
    for _ in range(runs):
        before, after = draw(random, n, size=size, **options)
        low, high = ratio_of(kind, before, after, clusters, **resampled).bounds(0.05)
        counts += [low > truth, high < truth]
    return counts / runs


@pytest.mark.parametrize("kind", ["gmr", "total", "p50"])
@pytest.mark.parametrize("together", [0.0, 0.9])
@pytest.mark.parametrize(("n", "size"), [(30, 1), (100, 1), (100, 5)])
def test_bounds_on_heavy_tailed_latency_are_wrong_as_often_as_they_say(kind, together, n, size):
    """5 % on either side, give or take the simulation: 2.5 standard errors are 2.7 %."""
    shares = wrong(kind, 400, 5, n, size=size, together=together)

    assert shares.max() < 0.08


def test_bounds_on_a_tail_latency_are_wrong_as_often_as_they_say():
    assert wrong("p95", 300, 6, 300).max() < 0.085


def noisier(random, n, *, size):
    """The candidate's cost is the baseline's times 1.2 and noise with a tail of its own."""
    before, _ = latencies(random, n, sigma=0.5)
    noise = np.exp(random.normal(-0.125, 0.5, n))
    return before, (1.2 * np.array(before) * noise).tolist()


def test_bounds_on_totals_hold_where_only_one_version_has_the_tail():
    """Student's t alone lets 8 % through."""
    assert wrong("total", 400, 9, 100, draw=noisier).max() < 0.08


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changed_keeps_the_spread_and_more_cases_narrow_it(kind):
    before, after = latencies(np.random.default_rng(4), 300)
    evidence = ratio_of(kind, before, after, alone(300))

    low, high = evidence.bounds(0.05)
    same_low, same_high = evidence.unchanged().bounds(0.05)
    more_low, more_high = evidence.scaled(4).bounds(0.05)

    assert evidence.unchanged().estimate == 1.0
    assert same_low < 1 < same_high
    assert math.log(same_high / same_low) == pytest.approx(math.log(high / low), rel=0.05)
    assert math.log(more_high / more_low) == pytest.approx(math.log(high / low) / 2, rel=0.15)


@pytest.mark.parametrize("kind", ["gmr", "total", "p50"])
def test_more_cases_like_these_have_the_spread_that_more_cases_have(kind):
    """A quantile of few cases is averaged over more levels, which the many do not gain from."""
    random = np.random.default_rng(13)

    def width(n, factor):
        options = {"n_resamples": 400} if kind == "p50" else {}
        sides = latencies(random, n, sigma=0.3)
        evidence = ratio_of(kind, *sides, alone(n), **options).unchanged()
        low, high = evidence.scaled(factor).bounds(0.05)
        return math.log(high / low)

    few, many = (np.median([width(n, 600 / n) for _ in range(200)]) for n in (30, 600))

    assert few == pytest.approx(many, rel=0.08)


@pytest.mark.parametrize("kind", ["gmr", "total", "p50"])
def test_the_advice_on_cases_comes_true(kind):
    """With as many cases as small runs advise in the middle, four of five unchanged runs decide."""

    def decided(low, high):
        return high <= 1.2 or low > 1.2

    def draw(n):
        options = {"n_resamples": 400} if kind == "p50" else {}
        before, after = latencies(random, n, together=0.8, sigma=0.6, ratio=1.0)
        return ratio_of(kind, before, after, alone(n), **options)

    random = np.random.default_rng(12)
    runs = [
        evidence
        for evidence in (draw(40) for _ in range(80))
        if not decided(*evidence.bounds(0.05))
    ]
    advised = np.median([needed_cases(each.unchanged(), decided, 0.05) for each in runs])
    share = np.mean([decided(*draw(int(advised)).bounds(0.05)) for _ in range(200)])

    assert 0.7 < share < 0.9


@pytest.mark.parametrize("kind", ["gmr", "p50"])
def test_a_value_of_zero_has_no_ratio(kind):
    with pytest.raises(ValueError, match=r"math domain error|expected a positive"):
        ratio_of(kind, [0.0, 1.0], [1.0, 1.0], alone(2))
