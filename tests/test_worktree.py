"""Git worktrees of revisions: none is left behind, and none of the user's is touched."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, git
from vcmp.errors import StorageError
from vcmp.worktree.trees import laid_out

LAY_OUT = """\
import sys, time
from pathlib import Path
from vcmp.worktree.trees import laid_out
with laid_out("HEAD", Path.cwd()) as copy:
    print(copy, flush=True)
    time.sleep(100)
"""


def lay_out(project: Path) -> "tuple[subprocess.Popen[str], Path]":
    """A process that has laid out a tree, and the project's folder in it."""
    process = subprocess.Popen(
        [sys.executable, "-c", LAY_OUT], cwd=project, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(project.parent)},
    )  # fmt: skip
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def worktrees(project: Path) -> set[Path]:
    lines = git(project, "worktree", "list", "--porcelain").splitlines()
    return {Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")}


def test_a_tree_is_the_project_at_a_commit_and_gone_afterwards(project: Path):
    file = project / "conf/agent/basic.yaml"
    before = file.read_text("utf-8")
    file.write_text(f"{before}# today\n", "utf-8")

    with laid_out("HEAD", project) as copy:
        assert (copy / "conf/agent/basic.yaml").read_text("utf-8") == before
        assert worktrees(project) == {project, copy}

    assert not copy.parent.exists()
    assert worktrees(project) == {project}


def test_trees_of_killed_processes_are_removed_by_the_next(project: Path):
    """With their files, or where a clean-up of temporary files has been faster."""
    for gone in (False, True):
        process, copy = lay_out(project)
        kill(process)
        assert worktrees(project) == {project, copy}
        if gone:
            shutil.rmtree(copy.parent)

        with laid_out("HEAD", project) as own:
            assert worktrees(project) == {project, own}
            assert not copy.parent.exists()


def test_trees_of_others_are_left_alone(project: Path, tmp_path: Path):
    """Those of a process that lives, and the user's, wherever they are."""
    mine, lost = tmp_path / "vcmp-mine/tree", tmp_path / "vcmp-lost/tree"
    for tree in (mine, lost):
        git(project, "worktree", "add", "--quiet", "--detach", str(tree))
    shutil.rmtree(lost.parent)  # on a disk that is not there today
    process, copy = lay_out(project)
    try:
        with laid_out("HEAD", project) as own:
            assert worktrees(project) == {project, mine, lost, copy, own}
        assert (copy / "conf").is_dir()
    finally:
        kill(process)


def test_a_tree_that_cannot_be_written_is_told(project: Path):
    (project / ".git/worktrees").write_text("", "utf-8")

    with pytest.raises(StorageError) as caught, laid_out("HEAD", project):
        pass

    first, second = str(caught.value).splitlines()
    assert first.startswith("git worktree add: fatal: ")
    assert second == "  Make room or give access, and run it again."
    assert worktrees(project) == {project}


def test_a_project_in_a_folder_of_the_repository(project: Path):
    git(project, "mv", "conf", "agents", "-k", ".")
    (project / "sub").mkdir()
    git(project, "mv", "conf", "agents", "sub")
    git(project, "commit", "-q", "-m", "Move")

    with laid_out("HEAD", project / "sub") as copy:
        assert (copy / "conf/config.yaml").is_file()
        assert copy.name == "sub"
