"""The evaluation of a revision, by a process of its own in a worktree.

Two revisions of one module cannot be imported into one process. What measures them is today's: the
cases, the scorers, and vcmp itself.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vcmp import errand
from vcmp.errors import Terminated
from vcmp.worktree.trees import laid_out

YARDSTICK = ("dataset", "scorers", "provider", "report", "gate", "tracking")
"""Groups of conf/ that are taken from today; agents, prompts and config.yaml are the revision's."""

ERROR = "vcmp: "
"""Begins an error on stderr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the process came to its end."""

    code: int
    """Its exit code; negative the number of the signal that ended it."""
    error: str
    """The first line of the one that ended it; "" for none. Agents write to stderr too."""


def evaluate(
    commit: str, project: Path, arguments: Sequence[str], folder: Path, sweep: Path
) -> Ended:
    """Evaluate what a commit ships: the default agent of its conf/config.yaml.

    Every result is in `folder` as soon as it is finished. What an earlier process has left there is
    gone on with.

    Args:
        commit: One that git has.
        project: The folder that holds conf/, inside of a git repository.
        arguments: Overrides that make it the same evaluation as today's.
        folder: Of a sweep of its own; the evaluation is in its folder `0`.
        sweep: The folder of the sweep that it is for, in whose budget it is.

    Raises:
        KeyboardInterrupt: The evaluation was interrupted.
        Terminated: It was, by SIGTERM.
    """
    going_on = [f"resume={folder}"] if (folder / "sweep.json").is_file() else []
    settings = ["baseline=null", "tracking=none", "gate=none"]
    with laid_out(commit, project) as copy:
        _lay_yardstick(project / "conf", copy / "conf")
        ended = _run(copy, [*settings, *arguments, *going_on], folder, sweep)
    if ended.code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if ended.code > 128:
        raise Terminated
    return ended


def _lay_yardstick(today: Path, then: Path) -> None:
    for group in YARDSTICK:
        if (today / group).is_dir():
            shutil.copytree(today / group, then / group, dirs_exist_ok=True)


def _run(copy: Path, arguments: Sequence[str], folder: Path, sweep: Path) -> Ended:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    # a file and no pipe: what an agent leaves running would hold a pipe open for ever
    with tempfile.TemporaryFile("w+", errors="replace") as stderr:
        code = errand.send(
            # -P: a revision may have a vcmp of its own
            [sys.executable, "-P", "-m", "vcmp", *arguments],
            folder,
            sweep=sweep,
            cwd=copy,
            environment={**os.environ, "PYTHONPATH": path},
            stderr=stderr,
        )
        stderr.seek(0)
        errors = [line for line in stderr if line.startswith(ERROR)]
    return Ended(code=code, error=errors[0].removeprefix(ERROR).strip() if errors else "")
