"""`vcmp conclude`: decide again from a sweep's files."""

import argparse
from pathlib import Path

from vcmp.console import make_console, present


def run(options: list[str], overrides: list[str]) -> int:
    """Decide again from a sweep's files; an override such as gate=… decides otherwise."""
    parser = argparse.ArgumentParser(prog="vcmp conclude", description=run.__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<sweep>")
    folder = parser.parse_args(options).folder
    from vcmp import conclusions, policies, results

    choice = policies.choose(results.load_record(folder), overrides)
    conclusion = present(folder, choice.policy, choice.report, make_console())
    return conclusions.exit_code(conclusion, choice.policy)
