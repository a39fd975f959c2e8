"""The tables of the page: rows of words, numbers and checks."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import pstdev

from benchmarks.decisions.results import (
    FEW,
    Check,
    Result,
    Results,
    coverage_check,
    error_check,
    of,
    power_check,
)
from benchmarks.decisions.rivals import cases_needed, share_at_looks
from benchmarks.decisions.scenarios import FIVE_VARIANTS, LOOKED, MARGIN, PAIRED, Scenario
from benchmarks.decisions.trials import Units, random

ADVISED = 100
"""Cases at which the advice is measured."""
ENOUGH_ADVICE = 20
"""Undecided runs that a median takes."""

Value = str | int | float | Check | None
"""A float is a share; None does not apply."""


@dataclass(frozen=True)
class Table:
    """Rows of equal length under a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def checks(self) -> Iterator[Check]:
        """The numbers that may be outside a limit, row by row."""
        return (value for row in self.rows for value in row if isinstance(value, Check))


def sizes(results: Results, scenario: Scenario) -> list[int]:
    """The numbers of cases that were simulated."""
    return sorted({n for name, n, _ in results if name == scenario.name and n in scenario.sizes})


def errors(results: Results, scenarios: Sequence[Scenario], *, guide: bool) -> Table:
    """False ships at the limit and false blocks of an unchanged agent."""
    rivals = ("guide", "plain") if guide else ("plain",)
    header = ("scores", "cases", "false ship", *rivals, "false block", *rivals, "undecided")
    rows = []
    for scenario in scenarios:
        for n in sizes(results, scenario):
            bad = of(results, scenario, n, scenario.limit)
            same = of(results, scenario, n, scenario.unchanged)
            ships = [getattr(bad, rival) for rival in rivals]
            blocks = [1 - getattr(same, rival) for rival in rivals]
            rows.append((
                scenario.name, n,
                error_check("false ship", bad, bad.passed), *ships,
                error_check("false block", same, same.failed), *blocks,
                1 - same.passed - same.failed,
            ))  # fmt: skip
    return Table(header, tuple(rows))


def power(results: Results, scenarios: Sequence[Scenario]) -> Table:
    """The chance to pass or fail at several true effects, beside the z test."""
    first = scenarios[0]
    asked = [("pass", effect) for effect in first.better]
    asked += [("fail", effect) for effect in first.worse]
    header = [f"{outcome} at {effect:g}" for outcome, effect in asked]
    rows = []
    for scenario in scenarios:
        for n in sizes(results, scenario):
            row: list[Value] = [scenario.name, n]
            for outcome, effect in asked:
                row.append(power_check(of(results, scenario, n, effect), outcome, held=True))
            rows.append(tuple(row))
    return Table(("scores", "cases", *header), tuple(rows))


def levels(results: Results, scenarios: Sequence[Scenario]) -> Table:
    """The chance to pass and to fail at several true values, beside the z test; no limit."""
    rows = tuple(
        (
            scenario.name,
            n,
            f"{effect:g}",
            power_check(of(results, scenario, n, effect), "pass", held=False),
            power_check(of(results, scenario, n, effect), "fail", held=False),
        )
        for scenario in scenarios
        for n in sizes(results, scenario)
        for effect in scenario.effects
    )
    return Table(("rule", "cases", "truth", "pass", "fail"), rows)


def selection(results: Results) -> Table:
    """The best of five variants, when none deserves to be shipped and when one does."""
    header = ("cases", "all bad: one is shipped", "guide", "plain",
              "one good: it is shipped", "a bad one is shipped")  # fmt: skip
    good = FIVE_VARIANTS.variants[0]
    rows = []
    for n in sizes(results, FIVE_VARIANTS):
        bad = of(results, FIVE_VARIANTS, n, FIVE_VARIANTS.limit)
        one = of(results, FIVE_VARIANTS, n, FIVE_VARIANTS.unchanged)
        shipped = bad.share(lambda trial: trial.ship is not None)
        wrong = one.share(lambda trial: trial.ship not in (None, good))
        rows.append((
            n, error_check("all bad, one shipped", bad, shipped), bad.guide, bad.plain,
            one.share(lambda trial: trial.ship == good),
            error_check("one good, a bad one shipped", one, wrong),
        ))  # fmt: skip
    return Table(header, tuple(rows))


def coverage(results: Results, scenarios: Sequence[Scenario]) -> Table:
    """How often the 95 % interval holds the truth, over all effects."""
    rows: list[tuple[Value, ...]] = []
    for scenario in scenarios:
        few, enough = _by_size(_all(results, [scenario]))
        name = scenario.name
        small = coverage_check(name, few).value if few else None
        rows.append((name, small, coverage_check(name, enough) if enough else None))
    few, enough = _by_size(_all(results, scenarios))
    pooled = coverage_check("all scores pooled", enough) if enough else None
    rows.append(("**all pooled**", coverage_check("", few).value if few else None, pooled))
    return Table(("scores", f"{FEW} cases", "100 cases and more"), tuple(rows))


def _all(results: Results, scenarios: Iterable[Scenario]) -> list[Result]:
    names = {scenario.name for scenario in scenarios}
    return [result for result in results.values() if result.cell.scenario.name in names]


def _by_size(results: Iterable[Result]) -> tuple[list[Result], list[Result]]:
    several = list(results)
    few = [result for result in several if result.cell.n_cases <= FEW]
    return few, [result for result in several if result.cell.n_cases > FEW]


def advice(results: Results, units: Units, again: Results) -> Table:
    """The cases that undecided runs ask for, beside the truth.

    Args:
        units: The true standard error from one case, by scenario and effect.
        again: Runs of an unchanged agent with as many cases as were asked for.
    """
    header = ("scores", "undecided", "truth", "median advice", "ratio", "decided with that many")
    rows: list[tuple[Value, ...]] = []
    for scenario in PAIRED:
        same = results.get((scenario.name, ADVISED, scenario.unchanged))
        if same is None or len(same.advice) < min(ENOUGH_ADVICE, len(same.trials)):
            continue
        truth = cases_needed(units[scenario.name, scenario.unchanged])
        ratio = same.median_advice / truth
        check = Check(what="advice beside truth", where=f"{scenario.name}, {ADVISED} cases",
                      value=ratio, noise=_median_noise(same.advice) / truth,
                      least=0.8, most=1.25, plain=True)  # fmt: skip
        decided = [r.passed + r.failed for r in again.values() if r.cell.scenario is scenario]
        rows.append((
            scenario.name, len(same.advice) / len(same.trials), round(truth),
            _whole(same.median_advice), check, decided[0] if decided else None,
        ))  # fmt: skip
    return Table(header, tuple(rows))


def _median_noise(numbers: Sequence[float]) -> float:
    """Its standard error, were the numbers normal."""
    finite = [number for number in numbers if math.isfinite(number)]
    return math.sqrt(math.pi / 2 / len(finite)) * pstdev(finite) if finite else math.inf


def _whole(number: float) -> int | str:
    return round(number) if math.isfinite(number) else "none"


def looks(results: Results, units: Units, seed: int) -> Table:
    """Errors and savings under planned looks."""
    header = ("scores", "cases", "false ship", "false block", "coverage", "unchanged passes",
              "with one look", "cases used, unchanged", "least possible")  # fmt: skip
    rows: list[tuple[Value, ...]] = []
    for looked in LOOKED:
        for n in sizes(results, looked):
            bad = of(results, looked, n, looked.limit)
            same = of(results, looked, n, looked.unchanged)
            once = next(s for s in PAIRED if s.world is looked.world)
            drift = MARGIN / units[looked.name, looked.unchanged] * math.sqrt(n)
            least = share_at_looks(drift, random(seed, "looks", n))
            rows.append((
                looked.name, n, error_check("false ship", bad, bad.passed),
                error_check("false block", same, same.failed),
                coverage_check(looked.name, [bad, same]).value,
                same.passed, of(results, once, n, once.unchanged).passed,
                _share_check(same, least), least,
            ))  # fmt: skip
    return Table(header, tuple(rows))


def _share_check(same: Result, least: float) -> Check:
    return Check(
        what="share of the cases used by an unchanged agent",
        where=f"{same.cell.scenario.name}, {same.cell.n_cases} cases",
        value=same.used,
        noise=0.3 / math.sqrt(len(same.trials)),
        most=0.60 if least <= 0.60 else math.inf,
    )
