"""`vcmp versions`: what has been recorded."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.console import make_console
from vcmp.errors import ConfigError
from vcmp.project import compose_one

if TYPE_CHECKING:
    from vcmp.composition import Job
    from vcmp.tracking import MlflowTracker

NEEDED = ("app", "tracking")
"""What the store needs: a provider may still be unnamed."""


def run(options: list[str], overrides: list[str]) -> int:
    """List recorded versions, newest first or best first; `show NAME` analyses one's traces, `pin
    NAME` makes one the anchor that sweeps are compared with: baselines=[previous,anchor]."""
    parser = argparse.ArgumentParser(prog="vcmp versions", description=run.__doc__)
    parser.add_argument(
        "words",
        nargs="*",
        metavar="show NAME | pin NAME | unpin",
        help="analyse one version's traces, make it the anchor, or have no anchor",
    )
    parser.add_argument(
        "--by", default="", help="rank by a metric: support_guidelines, latency_s/p95"
    )
    parsed = parser.parse_args(options)
    job = compose_one(overrides, NEEDED)
    tracker = _tracker(job)
    from vcmp import listing

    console = make_console()
    match parsed.words:
        case []:
            listing.show_versions(tracker.versions(order_by=parsed.by), parsed.by, console)
        case ["show", name]:
            listing.show_traces(tracker.show(name), console)
        case ["pin", name]:
            listing.show_pinned(tracker.pin(name), console)
        case ["unpin"]:
            listing.show_unpinned(tracker.unpin(job.config["app"]), console)
        case other:
            raise ConfigError(
                f"versions {' '.join(other)}: write `vcmp versions show NAME`, `pin NAME` or"
                " `unpin`"
            )
    return 0


def open_tracker(overrides: Sequence[str]) -> "MlflowTracker":
    """The tracking store that the configuration names.

    Raises:
        ConfigError: It names none.
    """
    return _tracker(compose_one(overrides, NEEDED))


def _tracker(job: "Job") -> "MlflowTracker":
    from vcmp.config import build_tracker
    from vcmp.targets import Builder

    tracker = build_tracker(job, Builder(Path.cwd()))
    if tracker is None:
        raise ConfigError("tracking=none: there is no store to look at. Set tracking=mlflow")
    return tracker
