"""`python -m benchmarks.decisions`: simulate, count, and write the page."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy

from benchmarks.decisions.page import Measured, render
from benchmarks.decisions.results import Result, Results
from benchmarks.decisions.scenarios import (
    ABSOLUTE,
    FIVE_VARIANTS,
    LOOKED,
    PAIRED,
    RATIOS,
    SIZES,
    TEN_METRICS,
    Scenario,
)
from benchmarks.decisions.tables import ADVISED, ENOUGH_ADVICE
from benchmarks.decisions.trials import Cell, Units, plan, run, unit_errors

EVERY: tuple[Scenario, ...] = (
    *PAIRED, *TEN_METRICS, *RATIOS, *ABSOLUTE, FIVE_VARIANTS, *LOOKED,
)  # fmt: skip
SEED = 20221
RUNS, QUICK_RUNS = 1000, 40
PAGE = Path("docs/decisions.md")
MOST_AGAIN = 5000
"""Cases up to which the advice is tried out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate all scenarios and write the page.

    Args:
        arguments: The command line's when left out.
    """
    given = _parser().parse_args(arguments)
    runs = given.runs or (QUICK_RUNS if given.quick else RUNS)
    sizes = SIZES[:2] if given.quick else SIZES
    started = time.monotonic()
    cells = plan(EVERY, runs, sizes)
    units = unit_errors(cells, given.seed, given.cores)
    results = _simulate(cells, units, given.seed, given.cores)
    again = _simulate(list(_advised(results, runs)), units, given.seed, given.cores)
    text = render(
        Measured(
            results=results,
            again=again,
            units=units,
            runs=runs,
            seed=given.seed,
            machine=_machine(given.cores),
            minutes=(time.monotonic() - started) / 60,
        )
    )
    given.page.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=__doc__)
    parser.add_argument("--runs", type=int, help=f"of a small cell ({RUNS}; quick: {QUICK_RUNS})")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="small samples and few runs")
    parser.add_argument("--page", type=Path, default=PAGE, help=f"where to write ({PAGE})")
    return parser


def _simulate(cells: Sequence[Cell], units: Units, seed: int, cores: int) -> Results:
    """Run the cells, with a line on a terminal for each that is done."""
    results: Results = {}
    for cell, trials in run(cells, units, seed, cores):
        results[cell.scenario.name, cell.n_cases, cell.effect] = Result(cell, trials)
        if sys.stderr.isatty():
            print(f"{cell.scenario.name}, {cell.n_cases} cases", file=sys.stderr)
    return results


def _advised(results: Results, runs: int) -> list[Cell]:
    """An unchanged agent again, with as many cases as undecided runs asked for."""
    first = [results.get((s.name, ADVISED, s.unchanged)) for s in PAIRED]
    asking = [r for r in first if r and len(r.advice) >= min(ENOUGH_ADVICE, len(r.trials))]
    wanted = [r for r in asking if r.advice and r.median_advice <= MOST_AGAIN]
    return [
        replace(r.cell, n_cases=round(r.median_advice / 5) * 5, runs=max(1, runs // 4))
        for r in wanted
    ]


def _machine(cores: int) -> str:
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    return f"Python {platform.python_version()}, {versions}, {platform.machine()}, {cores} cores"


if __name__ == "__main__":
    main()
