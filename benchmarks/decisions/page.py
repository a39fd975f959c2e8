"""The tables as a Markdown page, in words that need no statistics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.decisions import tables
from benchmarks.decisions.results import Check, Results, binomial_noise
from benchmarks.decisions.scenarios import (
    ABSOLUTE,
    PAIRED,
    RATIOS,
    TEN_METRICS,
    YES_OR_NO,
    Scenario,
)
from benchmarks.decisions.tables import Table, Value
from benchmarks.decisions.trials import Units
from benchmarks.decisions.words import HOW, INTRO, READING, SECTIONS


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that was simulated, and how."""

    results: Results
    again: Results
    units: Units
    runs: int
    seed: int
    machine: str
    minutes: float


def render(measured: Measured) -> str:
    """The whole page."""
    shown = _sections(measured)
    body = "\n".join(SECTIONS[name] + _markdown(table) for name, table in shown.items())
    return "\n".join((
        _intro(measured, shown),
        READING.format(**_noise(measured)) + _breaches(shown),
        body,
        _how(measured),
    ))  # fmt: skip


def _sections(measured: Measured) -> dict[str, Table]:
    results, units = measured.results, measured.units
    return {
        "paired": tables.errors(results, [*PAIRED, *TEN_METRICS], guide=True),
        "ratios": tables.errors(results, RATIOS, guide=False),
        "absolute": tables.errors(results, ABSOLUTE, guide=False),
        "selection": tables.selection(results),
        "power": tables.power(results, PAIRED),
        "power_ratios": tables.power(results, RATIOS),
        "power_absolute": tables.levels(results, ABSOLUTE),
        "coverage": tables.coverage(results, [*PAIRED, *TEN_METRICS, *RATIOS, *ABSOLUTE]),
        "advice": tables.advice(results, units, measured.again),
        "looks": tables.looks(results, units, measured.seed),
    }


def _intro(measured: Measured, shown: dict[str, Table]) -> str:
    held = [check for name in ("paired", "ratios", "absolute") for check in shown[name].checks]
    ships = [check.value for check in held if check.what == "false ship"]
    blocks = [check.value for check in held if check.what == "false block"]
    cells = [r for r in measured.results.values() if r.cell.scenario is _known()]
    guide = [1 - r.guide for r in cells if r.cell.effect == 0]
    plain = [r.plain for r in cells if r.cell.effect == r.cell.scenario.limit]
    every = [*measured.results.values(), *measured.again.values()]
    return INTRO.format(
        n_decisions=sum(len(result.trials) for result in every),
        ship=_percent(fmean(ships)),
        block=_percent(fmean(blocks)),
        worst=_percent(max(*ships, *blocks)),
        guide_block=_range(guide),
        plain_ship=_range(plain),
    )


def _known() -> Scenario:
    return next(scenario for scenario in PAIRED if scenario.world is YES_OR_NO)


def _noise(measured: Measured) -> dict[str, float]:
    cells = [result.cell for result in measured.results.values()]
    least = min(c.runs for c in cells if c.effect in (c.scenario.limit, c.scenario.unchanged))
    return {
        "runs": measured.runs,
        "noise": 100 * binomial_noise(0.05, measured.runs),
        "least": least,
        "widest": 100 * binomial_noise(0.05, least),
    }


def _breaches(shown: dict[str, Table]) -> str:
    """Every number outside its limit, in words."""
    checks = [check for table in shown.values() for check in table.checks]
    held = [check for check in checks if math.isfinite(check.most)]
    broken = [check for check in held if not check.kept]
    lines = "".join(f"- {_breach(check)}\n" for check in broken)
    said = f"{len(broken)} of {len(held)} numbers are outside" if broken else NONE.format(len(held))
    return f"### Outside the limits\n\n{said}{':' if broken else '.'}\n\n{lines}"


NONE = "None of {} numbers"


def _breach(check: Check) -> str:
    chance = ", perhaps by chance" if check.by_chance else ""
    return f"{check.where}: {check.what} {_cell(check).partition(' **')[0]}{chance}"


def _markdown(table: Table) -> str:
    """A Markdown table; numbers are right-aligned."""
    first = table.rows[0] if table.rows else table.header
    sides = [":--" if isinstance(value, str) else "--:" for value in first]
    lines = [table.header, sides, *([_cell(value) for value in row] for row in table.rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Value) -> str:
    if isinstance(value, Check):
        mark = "" if value.kept else " **✗?**" if value.by_chance else " **✗**"
        shown = f"{value.value:.2f}" if value.plain else _percent(value.value)
        beside = "" if value.beside is None else f" ({_percent(value.beside)})"
        return shown + beside + mark
    if isinstance(value, float):
        return _percent(value)
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else value


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _range(shares: Sequence[float]) -> str:
    low, high = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
    return low if low == high else f"{low} to {high}"


def _how(measured: Measured) -> str:
    return HOW.format(
        seed=measured.seed,
        runs=measured.runs,
        machine=measured.machine,
        minutes=measured.minutes,
    )
