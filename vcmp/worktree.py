"""Another revision of the project, evaluated by its own code with today's cases and scorers."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vcmp.errors import ConfigError

YARDSTICK = ("dataset", "scorers", "provider", "report", "gate", "tracking")
"""Groups of conf/ that are taken from today; agents, prompts and config.yaml are the revision's."""


@contextmanager
def evaluated(revision: str, project: Path, arguments: Sequence[str]) -> Iterator[Path]:
    """Evaluate what a revision ships: the default agent of its conf/config.yaml.

    It runs as a process of its own in a git worktree, because two revisions of one module cannot
    be imported into one process.

    Args:
        revision: A branch, tag or commit.
        project: The folder that holds conf/, inside of a git repository.
        arguments: Overrides that make it the same evaluation as today's.

    Yields:
        The folder with the revision's results.jsonl and evaluation.json; it is gone afterwards.

    Raises:
        ConfigError: There is no such revision, or it cannot be evaluated.
        KeyboardInterrupt: The evaluation was interrupted.
    """
    where = f"baseline=git:{revision}"
    commit = _resolve(revision, project, where)
    with tempfile.TemporaryDirectory(prefix="vcmp-") as temporary:
        tree = Path(temporary) / "tree"
        _git(project, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            copy = tree / _git(project, "rev-parse", "--show-prefix")
            _lay_yardstick(project / "conf", copy / "conf")
            _run(copy, arguments, where)
            yield next(copy.glob("outputs/*/0"))
        finally:
            _git(project, "worktree", "remove", "--force", str(tree))


def _resolve(revision: str, project: Path, where: str) -> str:
    try:
        return _git(project, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        branch = revision.removeprefix("origin/")
        raise ConfigError(
            f"{where}: git has no revision {revision!r} here.\n"
            f"  Correct the name, or fetch it first: git fetch origin {branch}"
        ) from error


def _lay_yardstick(today: Path, then: Path) -> None:
    for group in YARDSTICK:
        if (today / group).is_dir():
            shutil.copytree(today / group, then / group, dirs_exist_ok=True)


def _run(folder: Path, arguments: Sequence[str], where: str) -> None:
    root = str(Path(__file__).parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
    done = subprocess.run(
        [sys.executable, "-m", "vcmp", "baseline=null", "tracking=none", "gate=none", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode >= 128:
        raise KeyboardInterrupt
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConfigError(
            f"{where}: that revision cannot be evaluated.\n  {said[0].removeprefix('vcmp: ')}"
        )


def _git(folder: Path, *command: str) -> str:
    return subprocess.run(
        ["git", *command], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
