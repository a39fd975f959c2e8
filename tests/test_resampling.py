"""The bootstrap gives what a resampled sample gives, quickly, and the same every time."""

import time

import numpy as np
import pytest

from vcmp.statistics.resampling import Resampling, level_mean

CLUSTERS = [str(number % 7 if number % 3 else number % 4) for number in range(60)]
"""Of unequal sizes."""


def alone(n):
    return [f"{number:04}" for number in range(n)]


@pytest.mark.parametrize("q", [0.0707, 0.5477, 0.9487])
@pytest.mark.parametrize("clusters", [CLUSTERS, alone(60)])
def test_a_resample_has_the_mean_and_the_quantile_of_the_cases_it_repeats(q, clusters):
    """The share of each case in each resample is the mean of a column that has 1 there alone."""
    resampling = Resampling(clusters, n_resamples=300)
    columns = np.random.default_rng(3).integers(0, 9, (60, 2)).astype(float)
    shares = resampling.means(np.eye(60))

    means, quantiles = resampling.means(columns), resampling.quantiles(columns, q)

    assert np.allclose(means, shares @ columns)
    for column, found in zip(columns.T, quantiles.T, strict=True):
        expected = [np.quantile(column, q, weights=w, method="inverted_cdf") for w in shares]
        assert np.allclose(found, expected, atol=0.05)


def test_a_quantile_far_from_where_it_is_expected_is_found_all_the_same():
    """The first percentile of a hundred: one resample in some hundreds has none of the first
    eight cases."""
    values, resampling = np.arange(100.0), Resampling(alone(100), n_resamples=3000)

    found = resampling.quantiles(values, 0.0107)[:, 0]

    counts = np.rint(100 * resampling.means(np.eye(100)))
    assert np.allclose(found, [np.repeat(values, row.astype(int))[1] for row in counts], atol=0.05)
    assert found.max() > 8


def test_clusters_are_drawn_as_often_as_chance_has_it():
    """A multinomial count of 50 clusters: mean 1, variance 1 - 1/50, covariance -1/50."""
    counts = 50 * Resampling(alone(50), n_resamples=20_000).means(np.eye(50))

    covariance = np.cov(counts.T)
    assert counts.sum(axis=1) == pytest.approx(50)
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.04)
    assert np.diag(covariance) == pytest.approx(0.98, abs=0.06)
    assert np.mean(covariance[~np.eye(50, dtype=bool)]) == pytest.approx(-0.02, abs=0.001)


def test_the_same_clusters_are_resampled_alike_in_any_order_of_cases():
    values, order = np.arange(60.0), np.random.default_rng(4).permutation(60)
    clusters = np.array(CLUSTERS)

    there = Resampling(list(clusters), n_resamples=200)
    again = Resampling(list(clusters[order]), n_resamples=200)

    assert there.means(values) == pytest.approx(again.means(values[order]))
    assert there.quantiles(values, 0.3) == pytest.approx(again.quantiles(values[order], 0.3))


def test_another_seed_draws_others():
    values = np.arange(60.0)
    first, second = (Resampling(CLUSTERS, n_resamples=9, seed=seed) for seed in (1, 2))

    assert not np.allclose(first.means(values), second.means(values))


def test_an_averaged_quantile_is_the_mean_of_the_order_statistics_between_its_levels():
    """Levels 0.3 to 0.7 of ten values take the fourth to the seventh whole."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 16.0, 32.0, 64.0]

    assert level_mean(values, 0.5, 0.2) == pytest.approx((4 + 5 + 6 + 8) / 4)
    assert level_mean(values, 0.5, 0.25) == pytest.approx((3 / 2 + 4 + 5 + 6 + 8 + 16 / 2) / 5)
    assert level_mean(values, 0.5, 0.0) == pytest.approx(5.5, abs=1e-3)
    assert level_mean(values, 0.95, 0.2) == pytest.approx(64.0)


def test_ten_thousand_resamples_of_a_thousand_cases_and_ten_metrics_take_half_a_second():
    """One of five runs does on a busy machine; on an idle one it is a fifth of that."""
    values = np.random.default_rng(1).lognormal(size=(1000, 10))

    def cpu_s(seed):
        start = time.thread_time()
        assert Resampling(alone(1000), seed=seed).means(values).shape == (10_000, 10)
        return time.thread_time() - start

    assert any(cpu_s(seed) < 0.5 for seed in range(5))
