"""The commands beside the main job: `vcmp conclude`, `vcmp versions`, `vcmp ui`."""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.cli import enter_project, folder_overrides, make_console, present
from vcmp.errors import ConfigError
from vcmp.screening import arrange, is_override

if TYPE_CHECKING:
    from vcmp.composition import Job
    from vcmp.tracking import MlflowTracker


def run(verb: str, arguments: Sequence[str]) -> int:
    """Run `vcmp <verb>`; arguments of the form key=value are overrides of the configuration.

    Returns:
        The exit code, as for the main job.
    """
    commands: dict[str, Callable[[list[str], list[str]], int]] = {
        "conclude": conclude,
        "ui": ui,
        "versions": versions,
    }
    options = [argument for argument in arguments if not is_override(argument)]
    overrides = [argument for argument in arguments if is_override(argument)]
    return commands[verb](options, overrides)


def conclude(options: list[str], overrides: list[str]) -> int:
    """Decide again from a sweep's files; an override such as gate=… decides otherwise."""
    parser = argparse.ArgumentParser(prog="vcmp conclude", description=conclude.__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<sweep>")
    folder = parser.parse_args(options).folder
    from vcmp import config, pipeline, results
    from vcmp.targets import Builder

    record = results.load_record(folder)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a rule may be the project's own
    builder = Builder(Path.cwd(), record.trust)
    gate, name, report = record.policy, record.gate, record.report
    if overrides:
        chosen = any(override.startswith("gate=") for override in overrides)
        job = _compose(overrides if chosen else [*overrides, f"gate={record.gate}"])
        builder = Builder(Path.cwd(), tuple(job.config["trust"]))
        gate, name, report = job.config["gate"], job.choices["gate"], job.config["report"]
    policy = config.build_policy(gate, name, builder)
    return pipeline.exit_code(present(folder, policy, report, make_console()), policy)


def versions(options: list[str], overrides: list[str]) -> int:
    """List recorded versions, newest first or best first; `show NAME` analyses one's traces."""
    parser = argparse.ArgumentParser(prog="vcmp versions", description=versions.__doc__)
    parser.add_argument("show", nargs="*", metavar="show NAME", help="analyse one version's traces")
    parser.add_argument(
        "--by", default="", help="rank by a metric: support_guidelines, latency_s/p95"
    )
    parsed = parser.parse_args(options)
    tracker = _tracker(overrides)
    from vcmp import listing

    console = make_console()
    match parsed.show:
        case []:
            listing.show_versions(tracker.versions(order_by=parsed.by), parsed.by, console)
        case ["show", name]:
            listing.show_traces(tracker.show(name), console)
        case other:
            raise ConfigError(f"versions {' '.join(other)}: write `vcmp versions show NAME`")
    return 0


def ui(options: list[str], overrides: list[str]) -> int:
    """Open the MLflow UI on the project's tracking store; for a server, say where it is."""
    parser = argparse.ArgumentParser(prog="vcmp ui", description=ui.__doc__)
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--print", action="store_true", help="only print the command")
    parsed = parser.parse_args(options)
    command = _tracker(overrides).ui_command(parsed.port)
    print(shlex.join(command), flush=True)
    if parsed.print or len(command) == 1:
        return 0
    return os.execv(command[0], command)  # signals then reach the server, and no one else


def _tracker(overrides: Sequence[str]) -> "MlflowTracker":
    from vcmp.config import build_tracker
    from vcmp.targets import Builder

    tracker = build_tracker(_compose(overrides), Builder(Path.cwd()))
    if tracker is None:
        raise ConfigError("tracking=none: there is no store to look at. Set tracking=mlflow")
    return tracker


def _compose(overrides: Sequence[str]) -> "Job":
    """The configuration as the main job would see it, without leaving a trace of composing it."""
    arranged = arrange(overrides)
    conf = enter_project(arranged)
    from vcmp.composition import compose

    with tempfile.TemporaryDirectory() as folder:
        return compose([*arranged, *folder_overrides(Path(folder))], conf=conf)[0]
