"""`python -m vcmp` and the console script `vcmp`."""

import sys

from vcmp.cli import main


def run() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
