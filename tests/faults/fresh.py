"""`python -m vcmp` in an interpreter of its own: for tests of what is imported, and by whom."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def run_fresh(
    project: Path, *arguments: str, env: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run the command line in the project; seconds slower than the fixture `vcmp`."""
    inherited = {k: v for k, v in os.environ.items() if not re.match("_?(OPENAI|MLFLOW)_", k)}
    return subprocess.run(
        [sys.executable, "-m", "vcmp", *arguments],
        cwd=project,
        env={**inherited, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
