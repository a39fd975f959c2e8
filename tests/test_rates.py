"""Bounds on a rate, or on the mean of values in [0, 1]: published numbers, and the truth held."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.statistics import rate

score = st.sampled_from([0.0, 0.25, 0.5, 1.0])
rows = st.lists(st.tuples(score, st.sampled_from("abcdefgh")), min_size=1, max_size=40)


def alone(n):
    """`n` cases without a cluster."""
    return [str(number) for number in range(n)]


def in_clusters_of(size, n):
    return [str(number // size) for number in range(n)]


def yes(count, n):
    return [1.0] * count + [0.0] * (n - count)


def test_wilson_bounds_are_the_published_ones():
    """Newcombe (1998, Statistics in Medicine 17), table I: 81 of 263 gives 0.2553 to 0.3662. The
    lower one is moved out by 0.0005, to Clopper and Pearson's at 1.2 times the level."""
    low, high = rate(yes(81, 263), alone(263)).bounds(0.025)

    assert high == pytest.approx(0.3662, abs=5e-5)
    assert 0.2548 < low < 0.2553


def test_clopper_pearson_bounds_are_the_published_ones():
    """Newcombe (1998), table I: 15 of 148 gives 0.0578 to 0.1617."""
    bounds = rate(yes(15, 148), alone(148), exact=True).bounds(0.025)

    assert bounds == pytest.approx((0.0578, 0.1617), abs=5e-5)


def binomial(n, p):
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


@pytest.mark.parametrize("n", [30, 100, 300])
@pytest.mark.parametrize("exact", [False, True])
def test_bounds_on_yes_or_no_are_wrong_at_most_as_often_as_they_say(n, exact):
    """Enumerated over all outcomes; Wilson's own are wrong in up to 8.3 % where they say 5."""
    bounds = [rate(yes(count, n), alone(n), exact=exact).bounds(0.05) for count in range(n + 1)]
    most = 0.05 if exact else 0.06

    for p in (0.5, 0.8, 0.9, 0.95, 0.97, 0.99):
        chances = binomial(n, p)
        assert sum(c for c, (low, _) in zip(chances, bounds, strict=True) if low > p) <= most
        assert sum(c for c, (_, high) in zip(chances, bounds, strict=True) if high < p) <= most


def test_no_failure_proves_a_rate_below_one_percent_from_299_cases():
    assert rate([0.0] * 298, alone(298), exact=True).bounds(0.05)[1] > 0.01
    assert rate([0.0] * 299, alone(299), exact=True).bounds(0.05)[1] <= 0.01
    assert rate([0.0] * 100, alone(100)).bounds(0.05)[1] > 0.01


def test_thirty_of_thirty_do_not_prove_ninety_five_percent():
    low, high = rate([1.0] * 30, alone(30)).bounds(0.05)

    assert 0.90 < low < 0.95
    assert high == 1.0


@given(rows)
def test_a_smaller_alpha_never_narrows_and_the_mean_is_inside(cases):
    values, names = (list(column) for column in zip(*cases, strict=True))
    for clusters in (names, alone(len(names))):
        for exact in (False, True):
            evidence = rate(values, clusters, exact=exact)
            wide, narrow = evidence.bounds(0.001), evidence.bounds(0.10)

            assert 0 <= wide[0] <= narrow[0] + 1e-12
            assert narrow[0] <= evidence.estimate + 1e-12
            assert evidence.estimate <= narrow[1] + 1e-12
            assert narrow[1] <= wide[1] + 1e-12 <= 1 + 2e-12


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(cases, chance):
    shuffled = chance.sample(cases, len(cases))

    bounds = [rate(*zip(*either, strict=True)).bounds(0.05) for either in (cases, shuffled)]

    assert bounds[0] == pytest.approx(bounds[1], abs=1e-12)


def test_a_rate_of_clustered_cases_has_wider_bounds():
    values, together = yes(80, 100), in_clusters_of(10, 100)

    assert rate(values, together).bounds(0.05)[0] < rate(values, alone(100)).bounds(0.05)[0] - 0.05


def test_a_rate_of_equal_values_in_clusters_proves_less_than_of_lone_cases():
    """A hundred passes in four clusters are more than four, and far from a hundred."""
    clusters = [str(number % 4) for number in range(100)]

    assert rate([1.0] * 100, clusters).bounds(0.05) < rate([1.0] * 20, alone(20)).bounds(0.05)
    assert rate([1.0] * 100, clusters).bounds(0.05) > rate([1.0] * 4, alone(4)).bounds(0.05)


def test_every_further_error_raises_the_bound():
    """None seen in clusters may not look worse than one seen."""
    clusters = in_clusters_of(3, 135)
    highs = [rate(yes(errors, 135), clusters, exact=True).bounds(0.05)[1] for errors in range(12)]

    assert highs == sorted(highs)


def grid(random, latent):
    """A judge's marks: 5 % fall short of 1, and few of them by the whole of it."""
    return np.select([latent < -2.05, latent < -1.645], [0.0, 0.5], 1.0)


def uniform(random, latent):
    return np.array([0.5 * (1 + math.erf(each / math.sqrt(2))) for each in latent])


def repeats(random, latent):
    """Three runs of each case, of which a hard one fails half."""
    return random.binomial(3, np.where(latent < -1.0, 0.5, 0.97)) / 3


def yes_or_no(random, latent):
    return (latent < 0.84).astype(float)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (grid, 1 - 0.02018 - 0.5 * (0.04998 - 0.02018)),
        (uniform, 0.5),
        (repeats, 0.97 - 0.47 * 0.15866),
        (yes_or_no, 0.79955),
    ],
)
def test_bounds_on_means_are_wrong_as_often_as_they_say(draw, truth, size):
    """At most 6 % on either side, give or take the simulation, also for clusters of five."""
    random, n, runs = np.random.default_rng(11), 100, 500
    wrong = np.zeros(2)
    for _ in range(runs):
        shared = np.repeat(random.standard_normal(n // size), size)
        latent = math.sqrt(0.5) * (shared + random.standard_normal(n))
        values = draw(random, random.standard_normal(n) if size == 1 else latent).tolist()
        low, high = rate(values, in_clusters_of(size, n)).bounds(0.05)
        wrong += [low > truth + 1e-9, high < truth - 1e-9]

    assert wrong.max() / runs < 0.085


def test_marks_that_are_all_short_by_little_do_not_hide_the_zeros_they_may_have():
    """Three marks of 0.75 in a hundred tell of their spread no more than three cases do."""
    low, _ = rate([1.0] * 97 + [0.75] * 3, alone(100)).bounds(0.05)

    assert low < 0.978
