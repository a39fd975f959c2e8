"""`vcmp ui`: look at the store in a browser."""

import argparse
import os
import shlex

from vcmp.display import printable
from vcmp.outlets import close_outlets
from vcmp.verbs.versions import open_tracker


def run(options: list[str], overrides: list[str]) -> int:
    """Open the MLflow UI on the project's tracking store; for a server, say where it is."""
    parser = argparse.ArgumentParser(prog="vcmp ui", description=run.__doc__)
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--print", action="store_true", help="only print the command")
    parsed = parser.parse_args(options)
    command = open_tracker(overrides).ui_command(parsed.port)
    print(printable(shlex.join(command)), flush=True)
    if parsed.print or len(command) == 1:
        return 0
    close_outlets()
    return os.execv(command[0], command)  # signals then reach the server, and no one else
