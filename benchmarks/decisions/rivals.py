"""What other gates would have said of the same samples, and the best that any could."""

import math
from statistics import NormalDist

import numpy as np
from numpy.random import Generator

from benchmarks.decisions.scenarios import ALPHA, LOOKS, MARGIN, Scenario
from benchmarks.decisions.worlds import Array, Sample

Z = NormalDist().inv_cdf(1 - ALPHA)
Z_POWER = NormalDist().inv_cdf(0.8)
ENOUGH = 0.80
"""The guide's limit for both of its means."""

BLOCK, BLOCKS = 200, 5000


def guide_ships(sample: Sample, second: Sample) -> bool:
    """MLflow's guide: both means at least 0.80 and the first above the baseline's, as seen.

    As seen: an empty cell is left out of a mean. Of several candidates one is enough.
    """
    baseline, n = float(np.nanmean(sample.baseline)), len(sample.candidates)
    means = [float(np.nanmean(runs)) for runs in sample.candidates]
    seconds = [float(np.nanmean(runs)) for runs in second.candidates[:n]]
    return any(
        mean >= ENOUGH and other >= ENOUGH and mean > baseline
        for mean, other in zip(means, seconds, strict=True)
    )


def plain_ships(scenario: Scenario, sample: Sample) -> bool:
    """The rule's limit held against the estimate as seen; empty cells are left out."""
    limit = scenario.scale.good(scenario.limit)
    seen = [_seen(scenario, sample.baseline, runs) for runs in sample.candidates]
    return any(value >= limit for value in seen)


def _seen(scenario: Scenario, baseline: Array, candidate: Array) -> float:
    if np.isnan(candidate).any():
        return float(np.nanmean(candidate) - np.nanmean(baseline))
    return float(scenario.scale.estimate(baseline.mean(axis=1), candidate.mean(axis=1)))


def z_outcome(scenario: Scenario, estimate: float, error: float) -> str:
    """The one-sided z test: the same decision by someone who knows the true variance.

    Args:
        estimate: On the scenario's scale.
        error: Its true standard error.
    """
    if estimate - Z * error > scenario.scale.good(scenario.limit):
        return "pass"
    return "fail" if estimate + Z * error < scenario.scale.good(scenario.fails_at) else "unknown"


def unit_error(scenario: Scenario, effect: float, rng: Generator, runs: int) -> float:
    """The true standard error of the estimate from one case; divide by the root of the cases.

    The standard deviation of the estimate over samples of 200 cases, ten times as many samples as
    there will be runs, at most 5,000: known to 1 %.
    """
    blocks = min(BLOCKS, 10 * runs)
    sample = scenario.world.draw(rng, BLOCK * blocks, (effect,))
    baseline, candidate = (values.reshape(blocks, BLOCK) for values in sample.measured())
    estimates = scenario.scale.estimate(baseline, candidate)
    return float(estimates.std() * math.sqrt(BLOCK))


def cases_needed(error: float) -> float:
    """Cases that give an unchanged agent an 80 % chance to pass, by the true variance.

    Args:
        error: Standard error of the difference from one case.
    """
    return ((Z + Z_POWER) * error / MARGIN) ** 2


def share_at_looks(drift: float, rng: Generator, paths: int = 50_000) -> float:
    """The mean share of its cases that an unchanged agent uses when the variance is known.

    Both boundaries spend alpha as the square of the share seen (Kim and DeMets, 1987, "Design and
    analysis of group sequential tests based on the type I error spending rate function",
    Biometrika 74), found by simulating Brownian motion.

    Args:
        drift: The margin in standard errors of the whole sample.
    """
    steps = rng.standard_normal((paths, LOOKS)) / math.sqrt(LOOKS)
    motion = steps.cumsum(axis=1)
    shares = np.arange(1, LOOKS + 1) / LOOKS
    bounds = _boundaries(motion, shares)
    passed, failed = motion + drift * shares > bounds, -motion > bounds
    stopped = passed | failed
    stopped[:, -1] = True
    return float(shares[stopped.argmax(axis=1)].mean())


def _boundaries(motion: Array, shares: Array) -> Array:
    """Where the motion without drift has crossed with the probability that may be spent."""
    alive, bounds = np.ones(len(motion), bool), np.empty(LOOKS)
    for look, share in enumerate(shares):
        spent = ALPHA * share**2 * len(motion) - (~alive).sum()
        here = np.sort(motion[alive, look])
        bounds[look] = here[-max(1, round(spent))]
        alive &= motion[:, look] < bounds[look]
    return bounds
