"""`vcmp conclude`: decide again from a sweep's files."""

import argparse
import os
import sys
from pathlib import Path

from vcmp.console import make_console, present
from vcmp.project import compose_one


def run(options: list[str], overrides: list[str]) -> int:
    """Decide again from a sweep's files; an override such as gate=… decides otherwise."""
    parser = argparse.ArgumentParser(prog="vcmp conclude", description=run.__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<sweep>")
    folder = parser.parse_args(options).folder
    from vcmp import conclusions, config, results
    from vcmp.targets import Builder

    record = results.load_record(folder)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a rule may be the project's own
    builder = Builder(Path.cwd(), record.trust)
    gate, name, report = record.policy, record.gate, record.report
    if overrides:
        chosen = any(override.startswith("gate=") for override in overrides)
        job = compose_one(overrides if chosen else [*overrides, f"gate={record.gate}"])
        builder = Builder(Path.cwd(), tuple(job.config["trust"]))
        gate, name, report = job.config["gate"], job.choices["gate"], job.config["report"]
    policy = config.build_policy(gate, name, builder)
    return conclusions.exit_code(present(folder, policy, report, make_console()), policy)
