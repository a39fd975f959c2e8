"""`vcmp resume`: go on with a sweep that was ended."""

import argparse
from pathlib import Path


def run(options: list[str], overrides: list[str]) -> int:
    """Go on with a sweep that was interrupted, killed or stopped: with the command line that began
    it, and without asking again for what it has finished. An override such as budget.usd=… holds
    from now on."""
    parser = argparse.ArgumentParser(prog="vcmp resume", description=run.__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<sweep>")
    folder = parser.parse_args(options).folder
    from vcmp.cli import run_sweep
    from vcmp.resumption import recorded_arguments

    return run_sweep([*recorded_arguments(folder), *overrides])
