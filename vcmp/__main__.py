"""`python -m vcmp` and the console script `vcmp`."""

import os
import sys
from typing import NoReturn

from vcmp import descendants
from vcmp.cli import INTERRUPTED, main
from vcmp.outlets import close_outlets, guard_outlets


def run() -> None:
    """Run the command line and leave with its exit code."""
    guard_outlets()
    code = main(sys.argv[1:])
    if code > INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def _leave_at_once(code: int) -> NoReturn:
    """Leave no process behind, and wait for no thread: Python joins those of an agent's pool."""
    descendants.end_all()
    close_outlets()
    os._exit(code)


if __name__ == "__main__":
    run()
