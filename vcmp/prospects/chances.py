"""The chance of a verdict: the real gate decides again and again on what runs may score."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vcmp import gates
from vcmp.gates import MaxRatio
from vcmp.prospects.occasions import Occasion
from vcmp.prospects.worlds import World
from vcmp.rehearsal import clusters_of, leaves
from vcmp.types import Outcome, Verdict

POWER = 0.8
WORK = 100_000
"""Values that are drawn for one chance, over all simulations: as many as take about 0.3 s."""
MOST, LEAST = 200, 30
"""Simulations of one chance."""
RESAMPLED = 60
"""A ratio of quantiles takes as long as so many metrics."""
MOST_CASES = 10_000
MOST_FACTOR = 32
MOST_REPEATS = 20
"""More are no advice."""
FINE = 1.12
"""Two numbers of cases so near are told as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """What came of many comparisons of versions that are all the same."""

    n: int
    """Simulations."""
    passed: float
    """Share of them, in [0, 1]."""
    failed: float
    rules: tuple[tuple[str, float], ...]
    """Each rule that counts, and the share in which it was decided."""
    n_cases: float
    """Looked at, on average."""

    @property
    def decided(self) -> float:
        """The chance of a verdict."""
        return self.passed + self.failed


def chances(occasion: Occasion, worlds: Sequence[World]) -> list[Chance]:
    """The chance of a verdict in each world.

    The simulations of all worlds go side by side: what is measured alike in them is compared once.
    """
    n = n_simulations(occasion, len(occasion.cases), occasion.repeats)
    found: list[list[list[Verdict]]] = [[] for _ in worlds]
    for number in range(n):
        for place, world in enumerate(worlds):
            if not (number and world.settled):
                found[place].append(_simulate(occasion, world, number))
    return [_summed(verdicts, occasion) for verdicts in found]


def n_simulations(occasion: Occasion, n_cases: int, repeats: int) -> int:
    """Simulations of one chance: fewer of larger ones."""
    quantiles = sum(
        isinstance(leaf, MaxRatio) and leaf.stat in ("p50", "p95")
        for leaf in leaves(occasion.policy.rules)
    )
    n_metrics = len(occasion.metrics) + 1 + RESAMPLED * quantiles
    n_arms = occasion.n_candidates * (1 + occasion.n_anchors)
    looks = (occasion.policy.looks + 1) / 2
    one = n_cases * n_metrics * n_arms * looks * (1 + repeats / 4)
    return max(LEAST, min(MOST, int(WORK / one)))


def _simulate(occasion: Occasion, world: World, number: int) -> list[Verdict]:
    dice = random.Random(number)
    rehearsal = occasion.rehearsal(world.cases)
    n_candidates = occasion.n_candidates
    baseline, *others = world.draw(n_candidates + occasion.n_anchors, occasion.repeats, dice)
    return rehearsal.decide(baseline, others[:n_candidates], others[n_candidates:])


def _summed(found: Sequence[Sequence[Verdict]], occasion: Occasion) -> Chance:
    outcomes = [gates.settle(verdicts, occasion.policy) for verdicts in found]
    rules: dict[str, list[bool]] = {}
    for verdicts in found:
        for finding in verdicts[0].findings:
            if not finding.against and not finding.report_only:
                decided = finding.outcome in ("pass", "fail")
                rules.setdefault(finding.rule, []).append(decided)

    def share(outcome: Outcome) -> float:
        return outcomes.count(outcome) / len(outcomes)

    return Chance(
        n=len(found),
        passed=share("pass"),
        failed=share("fail"),
        rules=tuple((rule, sum(hits) / len(hits)) for rule, hits in rules.items()),
        n_cases=sum(max(v.n_cases for v in verdicts) for verdicts in found) / len(found),
    )


def needed_cases(occasion: Occasion, world: World) -> int | None:
    """About how many cases like these make a verdict likely; None where 10,000 would not, or so
    many times as many."""
    n_clusters = len(clusters_of(occasion.cases))
    n_cases = len(occasion.cases)

    def enough(factor: float) -> bool:
        more = world.grown(math.ceil(n_clusters * factor))
        return _is_likely(replace(occasion, cases=more.cases), more)

    most = min(MOST_FACTOR, MOST_CASES / n_cases)
    factor = _least(enough, most)
    return None if factor is None else math.ceil(n_cases * factor)


def needed_repeats(occasion: Occasion, world: World) -> int | None:
    """How many repeats of these cases make a verdict likely; None where 20 would not."""

    def enough(repeats: int) -> bool:
        return _is_likely(replace(occasion, repeats=repeats), world)

    low, high = occasion.repeats, max(occasion.repeats + 1, 2 * occasion.repeats)
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_REPEATS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _least(enough: Callable[[float], bool], most: float) -> float | None:
    """The smallest factor above 1 that is enough, to within `FINE`."""
    low, high = 1.0, 2.0
    while not enough(min(high, most)):
        if high >= most:
            return None
        low, high = high, 2 * high
    high = min(high, most)
    while high / low > FINE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _is_likely(occasion: Occasion, world: World) -> bool:
    """Whether the chance of a verdict reaches 80 %; simulations end when that is clear."""
    n = 1 if world.settled else n_simulations(occasion, len(world.cases), occasion.repeats)
    wanted, decided = math.ceil(POWER * n), 0
    for number in range(n):
        outcome = gates.settle(_simulate(occasion, world, number), occasion.policy)
        decided += outcome in ("pass", "fail")
        if decided >= wanted or number + 1 - decided > n - wanted:
            break
    return decided >= wanted
