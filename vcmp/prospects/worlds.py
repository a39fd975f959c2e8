"""Worlds: what the runs of an unchanged agent may score, known from recorded runs or assumed."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean
from typing import Protocol, Self

from vcmp.prospects.occasions import Occasion
from vcmp.rehearsal import Row, Runs, grown
from vcmp.types import TIE, Arm, Case

PASS_RATE = 0.8
"""Of every score, where nothing is recorded."""
SPREADS = tuple(math.exp(0.3 * NormalDist().inv_cdf(q)) for q in (0.1, 0.3, 0.5, 0.7, 0.9))
"""What the runs of a case measure, in units of its median, where no repeats are recorded: about
30 % apart."""


class World(Protocol):
    """Draws what versions score that are all the same."""

    @property
    def cases(self) -> tuple[Case, ...]: ...

    @property
    def settled(self) -> bool:
        """Whether every draw is the same."""

    def draw(self, n_others: int, repeats: int, dice: random.Random) -> list[Arm]:
        """What is seen of a baseline, and of as many others."""

    def grown(self, n_clusters: int) -> Self:
        """The same on more cases like these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recorded runs of a version scored, run by run: of each case at least two somewhere."""

    runs: Runs
    ties: Mapping[str, float]
    """Pairwise metrics, and the share of the cases on which a judge prefers one side."""

    @property
    def cases(self) -> tuple[Case, ...]:
        """Those that were recorded, or more like them."""
        return self.runs.cases

    @property
    def settled(self) -> bool:
        """Whether no case varies."""
        return not any(self.ties.values()) and not any(map(self.runs.varying, self.runs.metrics))

    def draw(self, n_others: int, repeats: int, dice: random.Random) -> list[Arm]:
        """Each run of each case is one of those recorded, drawn with replacement.

        Drawn from all, m runs vary by 1 - 1/m of what they should. Drawn for the baseline from one
        half of them and for the others from the other half, they vary too much; with a chance of
        1 / (2 * repeats - 1) of the latter the variance of a difference is right on average.
        """
        halved = 1 / (2 * repeats - 1)
        chosen: list[dict[str, Sequence[Row]]] = [{} for _ in range(1 + n_others)]
        for case_id, rows in self.runs.rows.items():
            first: Sequence[Row] = rows
            second: Sequence[Row] = rows
            if len(rows) > 1 and dice.random() < halved:
                mixed = dice.sample(rows, len(rows))
                half = (len(rows) + dice.getrandbits(1)) // 2
                first, second = mixed[:half], mixed[half:]
            for place, mine in enumerate(chosen):
                pool = second if place else first
                mine[case_id] = dice.choices(pool, k=repeats) if pool else ()
        arms = [self.runs.arm(mine) for mine in chosen]
        return _with_preferences(arms, self.ties, self.cases, repeats, dice)

    def grown(self, n_clusters: int) -> Self:
        """More clusters, each like one that was recorded."""
        cases, like = grown(self.cases, n_clusters)
        rows = {case.id: self.runs.rows[name] for case, name in zip(cases, like, strict=True)}
        return replace(self, runs=replace(self.runs, cases=cases, rows=rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What a run of a case may score, each value as likely as the others."""

    cases: tuple[Case, ...]
    pools: Mapping[str, Mapping[str, tuple[float, ...]]]
    """By metric and case id."""
    ties: Mapping[str, float]
    """As in `Recorded`."""
    measurements: frozenset[str] = frozenset()

    @property
    def settled(self) -> bool:
        """Whether no case varies."""
        sizes = (len(pool) for pools in self.pools.values() for pool in pools.values())
        return not any(self.ties.values()) and max(sizes, default=1) == 1

    def draw(self, n_others: int, repeats: int, dice: random.Random) -> list[Arm]:
        """Each run of each case, independently of all others."""
        arms = [self._arm(repeats, dice) for _ in range(1 + n_others)]
        return _with_preferences(arms, self.ties, self.cases, repeats, dice)

    def grown(self, n_clusters: int) -> Self:
        """More clusters, each like one of these."""
        cases, like = grown(self.cases, n_clusters)
        pairs = [(case.id, name) for case, name in zip(cases, like, strict=True)]
        pools = {
            metric: {case_id: own[name] for case_id, name in pairs if name in own}
            for metric, own in self.pools.items()
        }
        return replace(self, cases=cases, pools=pools)

    def _arm(self, repeats: int, dice: random.Random) -> Arm:
        values = {
            metric: {
                case_id: pool * repeats if len(pool) == 1 else dice.choices(pool, k=repeats)
                for case_id, pool in pools.items()
            }
            for metric, pools in self.pools.items()
        }
        return Arm(values=values, measurements=self.measurements)


def _wavering(levels: Mapping[str, float], flips: float) -> dict[str, tuple[float, ...]]:
    """Scores of which two runs differ on so large a share of the cases, half up and half down.

    Twice as many cases score the contrary every other time. They are taken in turn from those that
    score lowest and those that score highest, so that the mean stays what it is.
    """
    ordered = sorted(levels, key=lambda case_id: levels[case_id])
    n = min(len(ordered), round(2 * flips * len(ordered)))
    torn = {*ordered[: (n + 1) // 2], *ordered[len(ordered) - n // 2 :]}
    return {c: (level, 1 - level) if c in torn else (level,) for c, level in levels.items()}


def _with_preferences(
    arms: Sequence[Arm],
    ties: Mapping[str, float],
    cases: Sequence[Case],
    repeats: int,
    dice: random.Random,
) -> list[Arm]:
    """The arms with what pairwise judges think of them, the baseline being the first."""
    if not ties:
        return list(arms)
    made = []
    for place, arm in enumerate(arms):
        values = dict(arm.values)
        for metric, share in ties.items():
            n = round(share * len(cases)) if place else 0
            torn = {case.id for case in dice.sample(cases, n)}
            values[metric] = {
                case.id: dice.choices((0.0, 1.0), k=repeats) if case.id in torn else [TIE] * repeats
                for case in cases
            }
        made.append(replace(arm, values=values))
    return made


def assumed(occasion: Occasion, flips: float) -> Assumed:
    """Four of five cases pass on every score, no run fails, and measurements are 30 % apart.

    Args:
        flips: Share of the cases whose score differs between two runs.
    """
    ids = [case.id for case in occasion.cases]
    random.Random(0).shuffle(ids)
    n_failing = round((1 - PASS_RATE) * len(ids))
    scores = dict.fromkeys(ids[:n_failing], 0.0) | dict.fromkeys(ids[n_failing:], 1.0)
    pools: dict[str, Mapping[str, tuple[float, ...]]] = {}
    for metric in occasion.metrics:
        if metric == "error":
            pools[metric] = dict.fromkeys(ids, (0.0,))
        elif metric in occasion.measured:
            pools[metric] = dict.fromkeys(ids, SPREADS)
        elif metric not in occasion.pairwise:
            pools[metric] = _wavering(scores, flips)
    return Assumed(
        cases=occasion.cases,
        pools=pools,
        ties=_ties(occasion, flips),
        measurements=frozenset(occasion.measured),
    )


def recorded(runs: Runs, occasion: Occasion, flips: float) -> World:
    """What recorded runs tell: with repeats all that counts, without them only the levels.

    Args:
        flips: Assumed of what the recording does not tell.
    """
    ties = _ties(occasion, flips)
    if is_repeated(runs):
        return Recorded(runs=replace(runs, cases=occasion.cases), ties=ties)
    pools: dict[str, Mapping[str, tuple[float, ...]]] = {}
    for metric in runs.metrics:
        levels = {c: rows[0][metric] for c, rows in runs.rows.items() if rows and metric in rows[0]}
        if metric in occasion.scorers:
            pools[metric] = _wavering(levels, flips)
        elif metric in runs.measurements:
            pools[metric] = {c: tuple(level * s for s in SPREADS) for c, level in levels.items()}
        else:
            pools[metric] = {c: (level,) for c, level in levels.items()}
    return Assumed(cases=occasion.cases, pools=pools, ties=ties, measurements=runs.measurements)


def lacking(runs: Runs, occasion: Occasion) -> dict[str, int]:
    """What the gate reads and the runs cannot tell of: by metric the cases without a value, where
    they are more than may be missing."""
    wanted = [metric for metric in occasion.metrics if metric not in occasion.pairwise]
    found = {
        metric: sum(not any(metric in row for row in rows) for rows in runs.rows.values())
        for metric in wanted
    }
    most = occasion.policy.missing_limit * len(runs.rows)
    return {metric: n for metric, n in found.items() if n > most}


def is_repeated(runs: Runs) -> bool:
    """Whether the runs tell how much a case varies: most have been run twice or more."""
    return sum(len(rows) > 1 for rows in runs.rows.values()) * 2 > len(runs.rows)


def flips_of(runs: Runs, metrics: Sequence[str]) -> float:
    """The share of the cases whose score differs between two runs; of the metric on which most
    do."""
    return max((fmean(_differing(runs, metric)) for metric in metrics), default=0.0)


def _differing(runs: Runs, metric: str) -> Iterator[float]:
    """The chance of each case that two of its runs differ."""
    varying = runs.varying(metric)
    for case in runs.cases:
        values = varying.get(case.id, ())
        n = len(values)
        same = sum(values.count(value) * (values.count(value) - 1) for value in set(values))
        yield 1 - same / (n * (n - 1)) if n > 1 else 0.0


def _ties(occasion: Occasion, flips: float) -> dict[str, float]:
    return {metric: flips for metric in occasion.metrics if metric in occasion.pairwise}
