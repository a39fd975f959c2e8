"""Scores with a known truth: what two versions of an agent would get on cases drawn at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Literal, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]

TINY = 1e-6
"""The least parameter of a beta distribution; below it numpy's draws are not a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One metric of a baseline and its candidates, all on the same cases.

    The arrays are cases × repeats; an empty cell is NaN.
    """

    baseline: Array
    candidates: tuple[Array, ...]
    cluster_size: int = 1
    errors: bool = False
    """Whether an empty cell is an errored run."""

    def measured(self, place: int = 0) -> tuple[Array, Array]:
        """For each case the baseline's mean and a candidate's; an errored run counts as 0."""
        return _by_case(self.baseline), _by_case(self.candidates[place])


def _by_case(values: Array) -> Array:
    means: Array = np.nan_to_num(values, nan=0.0).mean(axis=1)
    return means


class World(Protocol):
    """Where the scores of one metric come from."""

    def draw(self, rng: Generator, n: int, effects: Sequence[float]) -> Sample:
        """`n` cases, and one candidate for each effect: its true distance from the baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores in [0, 1] of a baseline whose true mean is `mean`.

    Each case has an ability, from a beta distribution; both versions are drawn around it, so they
    agree more the less `alike` leaves to chance. A candidate's ability is the baseline's, scaled
    down or towards 1 until its mean is `mean` + effect exactly; nothing is clipped.

    Args:
        kind: Yes or no; any number (beta); or a judge's grades 0, ¼, ½, ¾ and 1.
        alike: Sum of the abilities' beta parameters: small for cases that are easy or hopeless.
        cluster_effect: What whole clusters gain or lose beyond the effect, half of them each.
        errors: Leave the candidate's cell empty in some runs that scored 0, more where cases are
            hard. They count as 0, so the truth stays.
        absolute: The effect is the candidate's own mean.
    """

    mean: float
    kind: Literal["binary", "continuous", "grades"] = "binary"
    alike: float = 1.0
    repeats: int = 1
    cluster_size: int = 1
    cluster_effect: float = 0.0
    errors: bool = False
    absolute: bool = False

    def draw(self, rng: Generator, n: int, effects: Sequence[float]) -> Sample:
        """All candidates answer the same cases, each on its own."""
        ability = rng.beta(self.mean * self.alike, (1 - self.mean) * self.alike, size=n)
        baseline = self._runs(rng, ability)
        candidates = [self._candidate(rng, ability, effect) for effect in effects]
        return Sample(
            baseline=baseline,
            candidates=tuple(candidates),
            cluster_size=self.cluster_size,
            errors=self.errors,
        )

    def _candidate(self, rng: Generator, ability: Array, effect: float) -> Array:
        difference = effect - self.mean if self.absolute else effect
        n_clusters = -(-len(ability) // self.cluster_size)
        signs = rng.choice((-1.0, 1.0), size=n_clusters).repeat(self.cluster_size)[: len(ability)]
        shifted = shift(ability, self.mean, difference + self.cluster_effect * signs)
        runs = self._runs(rng, shifted)
        if self.errors:
            runs[(runs == 0) & (2 * rng.random(runs.shape) < 1 - ability[:, None])] = np.nan
        return runs

    def _runs(self, rng: Generator, ability: Array) -> Array:
        mean = np.broadcast_to(ability[:, None], (len(ability), self.repeats))
        if self.kind == "continuous":
            return rng.beta(np.maximum(8 * mean, TINY), np.maximum(8 * (1 - mean), TINY))
        grades = 4 if self.kind == "grades" else 1
        return rng.binomial(grades, mean) / grades


def shift(ability: Array, mean: float, difference: Array) -> Array:
    """Abilities whose mean is `mean` + `difference`, still within [0, 1]."""
    down = ability * (1 + difference / mean)
    up = ability + (1 - ability) * difference / (1 - mean)
    return np.clip(np.where(difference < 0, down, up), 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Seconds or dollars, log-normal over cases, now and then many times as much.

    The candidate has the baseline's distribution times the effect: its ratio of medians, of totals
    and its geometric mean ratio are all exactly that.

    Args:
        spread: Standard deviation of the cases' logarithms.
        tail: Share of runs with a Pareto factor of shape 2.5: the variance is finite, barely.
    """

    spread: float
    tail: float = 0.0

    def draw(self, rng: Generator, n: int, effects: Sequence[float]) -> Sample:
        """All candidates answer the same cases, each on its own."""
        size = np.exp(self.spread * rng.standard_normal(n))
        return Sample(
            baseline=self._runs(rng, size),
            candidates=tuple(effect * self._runs(rng, size) for effect in effects),
        )

    def _runs(self, rng: Generator, size: Array) -> Array:
        noise = np.exp(0.3 * rng.standard_normal(len(size)))
        slow = np.where(rng.random(len(size)) < self.tail, 1 + rng.pareto(2.5, len(size)), 1.0)
        runs: Array = (size * noise * slow)[:, None]
        return runs


def table(metrics: Mapping[str, Sample], variants: Sequence[str]) -> dict[str, list[Any]]:
    """The samples as the columns that `vcmp.decide` reads, all variants on one baseline."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for place, variant in enumerate(variants):
        for scorer, sample in metrics.items():
            _append(columns, variant, scorer, sample, sample.baseline, sample.candidates[place])
            if sample.errors:
                failed = (np.isnan(sample.baseline), np.isnan(sample.candidates[place]))
                _append(columns, variant, "error", sample, *(each.astype(int) for each in failed))
    return columns


COLUMNS = ("variant", "case_id", "cluster", "tag", "repeat", "scorer", "baseline", "candidate")


def _append(
    columns: dict[str, list[Any]],
    variant: str,
    scorer: str,
    sample: Sample,
    baseline: NDArray[Any],
    candidate: NDArray[Any],
) -> None:
    n, repeats = baseline.shape
    cases, clusters = _names(n, repeats, sample.cluster_size)
    fixed = {"variant": variant, "tag": "", "scorer": scorer}
    for name, value in fixed.items():
        columns[name].extend(repeat(value, n * repeats))
    columns["case_id"].extend(cases)
    columns["cluster"].extend(clusters)
    columns["repeat"].extend(chain.from_iterable(repeat(range(repeats), n)))
    columns["baseline"].extend(baseline.ravel().tolist())
    columns["candidate"].extend(candidate.ravel().tolist())


@lru_cache(maxsize=64)
def _names(n: int, repeats: int, cluster_size: int) -> tuple[list[str], list[str]]:
    """Case and cluster of each line; every case is on its own where clusters have one case."""
    places = [case for case in range(n) for _ in range(repeats)]
    clusters = [f"group-{case // cluster_size}" if cluster_size > 1 else "" for case in places]
    return [f"case-{case}" for case in places], clusters
