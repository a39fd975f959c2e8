"""Boundaries of planned looks: against published numbers, and against simulated truth."""

import math
import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest

from vcmp.statistics import boundaries, nominal_levels
from vcmp.statistics.boundaries import quadratic
from vcmp.statistics.distributions import normal_quantile, normal_tail

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)


def obrien_fleming(alpha, fraction):
    """Spends next to nothing early (Lan and DeMets, 1983, "Discrete sequential boundaries for
    clinical trials", Biometrika 70)."""
    return 2 * normal_tail(-normal_quantile(alpha / 2) / math.sqrt(fraction))


def pocock(alpha, fraction):
    """Lan and DeMets' other function, which spends evenly."""
    return alpha * math.log(1 + (math.e - 1) * fraction)


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        (obrien_fleming, (4.877, 3.357, 2.680, 2.290, 2.031)),
        (pocock, (2.438, 2.427, 2.410, 2.397, 2.386)),
    ],
)
def test_boundaries_are_the_published_ones(spending, published):
    """Five equal looks at one-sided 0.025, of the functions of Lan and DeMets (1983)."""
    assert boundaries(0.025, FIVE, spending) == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize("fractions", [FIVE, (0.1, 0.15, 0.7, 1.0)])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_as_many_paths_have_passed_as_alpha_is_spent(alpha, fractions):
    """At each of the looks, whether or not they are evenly spaced."""
    runs = 200_000
    steps = np.sqrt(np.diff(fractions, prepend=0.0))
    paths = np.random.default_rng(5).standard_normal((runs, len(fractions))) * steps
    z = paths.cumsum(axis=1) / np.sqrt(fractions)

    passed = (z > boundaries(alpha, fractions)).cumsum(axis=1) > 0

    spent = np.array([quadratic(alpha, fraction) for fraction in fractions])
    assert passed.mean(axis=0) == pytest.approx(spent, abs=4 * math.sqrt(alpha / runs))


def test_two_looks_spend_all_of_alpha():
    """By a double integral of another kind: a sum over a fine grid of the first look."""
    for alpha in (1e-5, 1e-3, 0.2):
        first, second = boundaries(alpha, (0.5, 1.0))
        step = (first + 9) / 10_000
        places = [-9 + (number + 0.5) * step for number in range(10_000)]
        later = sum(
            NormalDist().pdf(x) * normal_tail(math.sqrt(2) * second - x) * step for x in places
        )

        assert later == pytest.approx(0.75 * alpha, rel=1e-4)
        assert first == pytest.approx(-normal_quantile(alpha / 4), abs=1e-6)


@pytest.mark.parametrize("looks", [1, 2, 5, 20])
@pytest.mark.parametrize("alpha", [1e-5, 0.0005, 0.05, 0.2])
def test_levels_rise_from_look_to_look_and_stay_below_alpha(alpha, looks):
    """The first is all that is spent there; together they exceed alpha, since looks overlap."""
    levels = nominal_levels(alpha, looks)

    assert list(levels) == sorted(levels)
    assert levels[0] == pytest.approx(alpha / looks**2, rel=1e-6)
    assert levels[-1] <= alpha <= sum(levels) * (1 + 1e-9)


def test_one_look_is_a_test_at_alpha():
    assert nominal_levels(0.05, 1) == (0.05,)


def test_looks_may_be_anywhere():
    even, early = nominal_levels(0.05, 2), nominal_levels(0.05, 2, (0.1, 1.0))

    assert nominal_levels(0.05, 2, (0.5, 1.0)) == even
    assert early[0] < even[0] < even[1] < early[1] < 0.05


def test_a_boundary_that_nothing_passes_is_far_away_and_takes_nothing():
    """O'Brien and Fleming's first looks spend less than a computer can tell from nothing."""
    levels = boundaries(1e-5, [look / 20 for look in range(1, 21)], obrien_fleming)

    assert levels[0] > 15
    assert list(levels) == sorted(levels, reverse=True)
    assert levels[-1] == pytest.approx(4.32, abs=0.01)


@pytest.mark.parametrize("fractions", [(), (0.5,), (0.5, 0.5, 1.0), (0.0, 1.0), (0.5, 1.0, 1.5)])
def test_fractions_must_rise_to_one(fractions):
    with pytest.raises(ValueError, match="do not rise from above 0 to 1"):
        boundaries(0.05, fractions)


def test_levels_need_a_fraction_for_each_look_and_an_alpha_below_one_half():
    with pytest.raises(ValueError, match="3 looks at 2 fractions"):
        nominal_levels(0.05, 3, (0.5, 1.0))
    with pytest.raises(ValueError, match=r"alpha 0\.5 is not between 0 and 0\.5"):
        nominal_levels(0.5, 1)


def test_one_look_needs_no_numpy():
    """A gate without planned looks does not pay for its import."""
    code = "import sys, vcmp.statistics as s; s.nominal_levels(0.05, 1); "
    code += "sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
