"""The same samples judged by `vcmp.decide` and by its rivals, on all cores, from one seed."""

import math
import multiprocessing
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

import vcmp
from benchmarks.decisions.rivals import guide_ships, plain_ships, unit_error, z_outcome
from benchmarks.decisions.scenarios import Scenario
from benchmarks.decisions.worlds import Sample, Scores, table

CHUNK = 25
"""Runs that one process does at a time, from a seed of their own: cores do not change results."""
LEAST = 100
"""Runs of any cell, however large its samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario at one size and one effect; the effect is the first variant's."""

    scenario: Scenario
    n_cases: int
    effect: float
    runs: int

    @property
    def effects(self) -> tuple[float, ...]:
        """Of all variants."""
        return (self.effect, *self.scenario.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was said of one sample."""

    outcome: str
    ship: str | None
    low: float
    high: float
    """Of the 95 % interval, in the finding's unit."""
    needed_cases: float
    """NaN when there was no advice."""
    n_cases: int
    """Cases that were used up when the gate stopped looking."""
    guide: bool
    plain: bool
    """Whether the guide's gate and the plain threshold ship."""
    z: str


def plan(scenarios: Sequence[Scenario], runs: int, sizes: Sequence[int]) -> list[Cell]:
    """Every cell; large samples get fewer runs, chances to pass or fail a quarter."""
    return [
        Cell(scenario=scenario, n_cases=n, effect=effect, runs=_runs(scenario, n, effect, runs))
        for scenario in scenarios
        for n in scenario.sizes
        if n in sizes
        for effect in scenario.effects
    ]


def _runs(scenario: Scenario, n_cases: int, effect: float, runs: int) -> int:
    repeats = scenario.world.repeats if isinstance(scenario.world, Scores) else 1
    lines = n_cases * repeats * len(scenario.metrics) * len(scenario.variants)
    share = min(1.0, math.sqrt(100 / lines))
    share *= 1.0 if effect in (scenario.limit, scenario.unchanged) else 0.25
    return max(min(runs, LEAST), round(runs * share / CHUNK) * CHUNK)


Units = dict[tuple[str, float], float]
"""By scenario's name and effect, the true standard error of the estimate from one case."""


def unit_errors(cells: Sequence[Cell], seed: int, cores: int) -> Units:
    """What the z tests know."""
    kinds = {(cell.scenario.name, cell.effect): cell for cell in cells}
    with _mapper(cores) as spread:
        found = spread(_unit_error, [(cell, seed) for cell in kinds.values()])
        return dict(zip(kinds, found, strict=True))


def run(
    cells: Sequence[Cell], units: Units, seed: int, cores: int
) -> Iterator[tuple[Cell, list[Trial]]]:
    """The cells with their trials, in order; all chunks are shared out among the cores."""
    chunks = [
        Chunk(cell, first, seed, units[cell.scenario.name, cell.effect])
        for cell in cells
        for first in range(0, cell.runs, CHUNK)
    ]
    with _mapper(cores) as spread:
        answers = spread(_try_chunk, chunks)
        for cell in cells:
            n_chunks = -(-cell.runs // CHUNK)
            yield cell, [trial for _ in range(n_chunks) for trial in next(answers)]


@contextmanager
def _mapper(cores: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map`, on as many processes."""
    if cores == 1:
        yield map
        return
    with multiprocessing.Pool(cores) as pool:
        yield pool.imap


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of a cell's runs, from `first` on."""

    cell: Cell
    first: int
    seed: int
    error: float
    """The true standard error of the estimate from one case."""


def _unit_error(job: tuple[Cell, int]) -> float:
    cell, seed = job
    rng = random(seed, cell.scenario.name, cell.effect)
    return unit_error(cell.scenario, cell.effect, rng, cell.runs)


def random(seed: int, *names: object) -> Generator:
    """A generator for one purpose: what else is drawn, or in what order, does not change it."""
    return np.random.default_rng([seed, zlib.crc32(repr(names).encode())])


def _try_chunk(chunk: Chunk) -> list[Trial]:
    cell = chunk.cell
    rng = random(chunk.seed, cell.scenario.name, cell.n_cases, cell.effect, chunk.first)
    runs = min(CHUNK, cell.runs - chunk.first)
    return [_try(cell, rng, chunk.error / math.sqrt(cell.n_cases)) for _ in range(runs)]


def _try(cell: Cell, rng: Generator, error: float) -> Trial:
    scenario = cell.scenario
    samples = _draw(cell, rng)
    first = samples[scenario.metrics[0]]
    second = scenario.world.draw(rng, cell.n_cases, [scenario.unchanged] * len(cell.effects))
    answer = vcmp.decide(table(samples, scenario.variants), scenario.policy)
    estimate = float(scenario.scale.estimate(*first.measured()))
    return Trial(
        **_read(answer, scenario),
        guide=guide_ships(first, second),
        plain=plain_ships(scenario, first),
        z=z_outcome(scenario, estimate, error),
    )


def _draw(cell: Cell, rng: Generator) -> dict[str, Sample]:
    """Each metric's sample; guardrails are unchanged, and independent of the first metric."""
    world, (first, *guardrails) = cell.scenario.world, cell.scenario.metrics
    unchanged = [cell.scenario.unchanged] * len(cell.effects)
    samples = {first: world.draw(rng, cell.n_cases, cell.effects)}
    return samples | {name: world.draw(rng, cell.n_cases, unchanged) for name in guardrails}


def _read(answer: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """What one answer of `vcmp.decide` says of the first metric and the first variant."""
    metric, variant = scenario.rule["metric"], scenario.variants[0]
    finding = next(
        each
        for each in answer["findings"]
        if each["metric"] == metric and each["variant"] == variant
    )
    candidate = next(each for each in answer["candidates"] if each["variant"] == variant)
    low, high = finding["ci95"] or (math.nan, math.nan)
    needed = finding["needed_cases"]
    return {
        "outcome": answer["verdict"],
        "ship": answer["ship"],
        "low": low,
        "high": high,
        "needed_cases": math.nan if needed is None else float(needed),
        "n_cases": candidate["n_cases_used"],
    }
