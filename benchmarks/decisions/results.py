"""What the trials of a cell add up to, and whether it keeps to the limits of acceptance."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

from benchmarks.decisions.scenarios import Scenario
from benchmarks.decisions.trials import Cell, Trial

FEW = 30
"""Cases up to which the exactness of a test cannot be asked for."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A measured number and the limits it is held to; the numbers are shares unless `plain`.

    Args:
        noise: Standard error of the simulation.
    """

    what: str
    where: str
    value: float
    noise: float = 0.0
    least: float = -math.inf
    most: float = math.inf
    plain: bool = False
    beside: float | None = None
    """What the limits are about is the distance from this."""

    @property
    def kept(self) -> bool:
        """Whether it is within its limits."""
        return self.least <= self._judged <= self.most

    @property
    def by_chance(self) -> bool:
        """Whether twice the noise of the simulation could explain a breach."""
        over = max(self._judged - self.most, self.least - self._judged)
        return not self.kept and over <= 2 * self.noise

    @property
    def _judged(self) -> float:
        return self.value - (self.beside or 0.0)


@dataclass(frozen=True)
class Result:
    """A cell and its trials; shares are of all of its runs."""

    cell: Cell
    trials: Sequence[Trial]

    def share(self, holds: Callable[[Trial], bool]) -> float:
        """Of the trials of which something holds."""
        return fmean(holds(trial) for trial in self.trials)

    @cached_property
    def passed(self) -> float:
        """The verdict was pass."""
        return self.share(lambda trial: trial.outcome == "pass")

    @cached_property
    def failed(self) -> float:
        """The verdict was fail."""
        return self.share(lambda trial: trial.outcome == "fail")

    @cached_property
    def guide(self) -> float:
        """MLflow's guide would have shipped."""
        return self.share(lambda trial: trial.guide)

    @cached_property
    def plain(self) -> float:
        """The limit on the numbers as seen would have shipped."""
        return self.share(lambda trial: trial.plain)

    @cached_property
    def covered(self) -> float:
        """Share of the 95 % intervals that hold the truth; one that is missing does not."""
        truth = self.cell.effect
        return self.share(lambda trial: trial.low - 1e-9 <= truth <= trial.high + 1e-9)

    @cached_property
    def used(self) -> float:
        """Mean share of the cases that was used."""
        return fmean(trial.n_cases for trial in self.trials) / self.cell.n_cases

    @cached_property
    def advice(self) -> tuple[float, ...]:
        """The cases that undecided runs asked for; infinite where the answer was: too many."""
        undecided = [trial for trial in self.trials if trial.outcome == "inconclusive"]
        numbers = (trial.needed_cases for trial in undecided)
        return tuple(math.inf if math.isnan(each) else each for each in numbers)

    @property
    def median_advice(self) -> float:
        """Cases; infinite when most were told: too many."""
        return median(self.advice)

    def noise(self, share: float) -> float:
        """Standard error of a share."""
        return binomial_noise(share, len(self.trials))


Results = dict[tuple[str, int, float], Result]
"""By scenario's name, cases and effect."""


def binomial_noise(share: float, n: float) -> float:
    """Standard error of a share of `n` runs."""
    return math.sqrt(share * (1 - share) / n)


def most_errors(n_cases: int) -> float:
    """The accepted rate of an error that is to happen in 5 %."""
    return 0.09 if n_cases <= FEW else 0.06


def error_check(what: str, result: Result, share: float) -> Check:
    """The rate of an error beside what is accepted."""
    scenario, n = result.cell.scenario, result.cell.n_cases
    return Check(
        what=what,
        where=f"{scenario.name}, {n} cases",
        value=share,
        noise=result.noise(share),
        most=most_errors(n),
    )


def power_check(result: Result, outcome: str, *, held: bool) -> Check:
    """The chance of an outcome beside the z test's on the same samples.

    Args:
        held: Whether it must be within 5 points, which is asked for from 100 cases on.
    """
    cell = result.cell
    share = result.share(lambda trial: trial.outcome == outcome)
    beside = result.share(lambda trial: trial.z == outcome)
    differ = result.share(lambda trial: (trial.outcome == outcome) != (trial.z == outcome))
    held = held and cell.n_cases > FEW
    return Check(
        what=f"chance to {outcome} at {cell.effect:g}",
        where=f"{cell.scenario.name}, {cell.n_cases} cases",
        value=share,
        beside=beside,
        noise=math.sqrt(max(0.0, differ - (share - beside) ** 2) / len(result.trials)),
        least=-0.05 if held else -math.inf,
        most=0.05 if held else math.inf,
    )


def coverage_check(where: str, results: Iterable[Result]) -> Check:
    """The share of intervals that hold the truth, over all runs of some cells."""
    cells = list(results)
    n = sum(len(result.trials) for result in cells)
    share = sum(result.covered * len(result.trials) for result in cells) / n
    return Check(
        what="coverage",
        where=where,
        value=share,
        noise=binomial_noise(share, n),
        least=0.935,
        most=0.97,
    )


def of(results: Results, scenario: Scenario, n_cases: int, effect: float) -> Result:
    """The cell of a scenario."""
    return results[scenario.name, n_cases, effect]
