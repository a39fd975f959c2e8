"""What the stories share: a copied sample project in a git repository, and the command line."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("vcmp", deadline=None)  # a busy machine is no defect
settings.load_profile("vcmp")

ROOT = Path(__file__).parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def git(folder: Path, *arguments: str) -> str:
    identity = {f"GIT_{role}_{key}": "tester@example.org" for role in ("AUTHOR", "COMMITTER")
                for key in ("NAME", "EMAIL")}  # fmt: skip
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def make_project(parent: Path) -> Path:
    """The sample project, committed: conf/ and agents/ and nothing else of this repository."""
    folder = parent / "project"
    for name in ("conf", "agents"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text("outputs/\n__pycache__/\n", encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Start the sample project")
    return folder


def run_vcmp(
    project: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 100
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m vcmp` in the project, as a user would; no key is set unless `env` does."""
    inherited = {k: v for k, v in os.environ.items() if not re.match("_?(OPENAI|MLFLOW)_", k)}
    return subprocess.run(
        [sys.executable, "-m", "vcmp", *arguments],
        cwd=project,
        env={**inherited, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database in which nothing is recorded, made once for all workers."""
    file = tmp_path_factory.getbasetemp().parent / f"mlflow-{os.getppid()}.db"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            code = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
            unfinished = file.with_suffix(".new")
            command = [sys.executable, "-c", code, f"sqlite:///{unfinished}"]
            subprocess.run(command, check=True, capture_output=True)
            unfinished.replace(file)
    return file


def place_store(new_store: Path, project: Path) -> None:
    """Spare a project the seconds that its first MLflow database takes."""
    (project / "outputs").mkdir()
    shutil.copyfile(new_store, project / "outputs/mlflow.db")


@pytest.fixture
def stored(new_store: Path, project: Path) -> None:
    place_store(new_store, project)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.fixture
def vcmp(project: Path) -> Run:
    """`vcmp(*arguments)` runs `python -m vcmp` in the project."""
    return partial(run_vcmp, project)
