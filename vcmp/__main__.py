"""`python -m vcmp` and the console script `vcmp`."""

import sys

from vcmp.cli import main
from vcmp.outlets import guard_outlets


def run() -> None:
    """Run the command line and leave with its exit code."""
    guard_outlets()
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
