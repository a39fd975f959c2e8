"""Git worktrees, none of which is left behind.

A process that is killed cannot remove its tree. So each tree of vcmp's has a mark among git's own
files about it, which is locked as long as the process lives: the next one that needs a tree removes
those whose mark nobody holds. The user's own worktrees have no mark.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vcmp.errors import StorageError

PREFIX = "vcmp-"
"""Begins the name of the temporary folder around a tree."""
MARK = "vcmp"
"""Name of the mark; it holds the path of the tree."""


def commit_of(revision: str, project: Path) -> str:
    """The commit that a branch, a tag or a commit names; "" when git has none here."""
    try:
        return _git(project, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except (subprocess.CalledProcessError, FileNotFoundError):
        return ""


@contextmanager
def laid_out(commit: str, project: Path) -> Iterator[Path]:
    """The project as it was at a commit.

    Args:
        commit: One that git has.
        project: A folder inside of a git repository.

    Yields:
        The folder of the project in a worktree, which is gone afterwards.

    Raises:
        StorageError: Git cannot write it.
    """
    _remove_left(project)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as home:
        tree = Path(home) / "tree"
        try:
            _add(tree, commit, project)
            with _marked(tree):
                yield tree / _git(project, "rev-parse", "--show-prefix")
        finally:
            _remove(tree, project)


def _add(tree: Path, commit: str, project: Path) -> None:
    try:
        _git(project, "worktree", "add", "--quiet", "--detach", str(tree), commit)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"exit code {error.returncode}"]
        raise StorageError(
            f"git worktree add: {said[-1]}\n  Make room or give access, and run it again."
        ) from error


@contextmanager
def _marked(tree: Path) -> Iterator[None]:
    with Path(_git(tree, "rev-parse", "--absolute-git-dir"), MARK).open("w") as mark:
        mark.write(str(tree))
        mark.flush()
        with suppress(OSError):  # a file system without locks
            fcntl.lockf(mark, fcntl.LOCK_EX)
        yield


def _remove_left(project: Path) -> None:
    """Remove the trees of processes that were killed."""
    common = project / _git(project, "rev-parse", "--git-common-dir")
    for path in common.glob(f"worktrees/*/{MARK}"):
        with suppress(OSError), path.open("r+") as mark:  # locked: its process lives
            fcntl.lockf(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tree = Path(mark.read())
            _remove(tree, project)
            if tree.parent.name.startswith(PREFIX):
                shutil.rmtree(tree.parent, ignore_errors=True)


def _remove(tree: Path, project: Path) -> None:
    with suppress(subprocess.CalledProcessError):  # it was never added
        _git(project, "worktree", "remove", "--force", str(tree))


def _git(folder: Path, *command: str) -> str:
    # a hook of git's sets variables that lead to another repository or index
    environment = {key: value for key, value in os.environ.items() if key not in _OF_HOOKS}
    done = subprocess.run(
        ["git", *command], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
