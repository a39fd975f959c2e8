"""`vcmp sync`: record a finished sweep from its files."""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from vcmp.console import make_console
from vcmp.errors import ConfigError
from vcmp.verbs.versions import open_tracker


def run(options: list[str], overrides: list[str]) -> int:
    """Record a sweep in the tracking store, from its files and as at its end, when the store could
    not take it then; tracking.uri=… names another store. A second time changes nothing."""
    parser = argparse.ArgumentParser(prog="vcmp sync", description=run.__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<sweep>")
    folder = parser.parse_args(options).folder
    for override in overrides:
        if re.split("[.=]", _key(override))[0] not in ("tracking", "app"):
            raise ConfigError(
                f"{override}: a sweep is recorded as it was run, with its own gate.\n"
                "  vcmp sync takes tracking=…, tracking.uri=…, tracking.experiment=…"
            )
    from vcmp import policies, recording, results

    record = results.load_record(folder)
    policy = policies.choose(record, []).policy
    tracker = open_tracker([*_kept(record.tracking, overrides), *overrides])
    recorded = recording.sync(folder, policy, tracker)
    names = [results.load(folder / job).version.name for job in record.jobs]
    said = "recorded" if recorded else "recorded already, and nothing was changed"
    make_console().print(f"{said}: {', '.join(names)}", markup=False)
    return 0


def _kept(own: Sequence[str], overrides: Sequence[str]) -> Iterator[str]:
    """The sweep's own choice of a store, as far as nothing else is asked for now."""
    named = {_key(override) for override in overrides}
    for override in own:
        other = "tracking" in named and _key(override).startswith("tracking")
        if not other and _key(override) not in named:
            yield override


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
