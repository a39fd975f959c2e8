"""What the stories share: a copied sample project in a git repository, and the command line."""

import atexit
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.commands import ROOT, Command

settings.register_profile("vcmp", deadline=None)  # a busy machine is no defect
settings.load_profile("vcmp")

# many processes import the same modules: they need not compile them each, nor do the workers
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = f"{tempfile.gettempdir()}/vcmp-bytecode"
sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]
# no test speaks TLS, and each OpenAI client would read the certificates of this machine: none here
os.environ["SSL_CERT_DIR"] = str(ROOT / "tests")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _forget_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment of one test held is no secret in the next."""
    monkeypatch.setattr("vcmp.secrets._seen", {})


def git(folder: Path, *arguments: str) -> str:
    identity = {f"GIT_{role}_{key}": "tester@example.org" for role in ("AUTHOR", "COMMITTER")
                for key in ("NAME", "EMAIL")}  # fmt: skip
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: many a test waits for a clock, a server or another process."""
    return round(1.5 * (os.cpu_count() or 1))


def make_project(parent: Path) -> Path:
    """The sample project, committed: conf/ and agents/ and nothing else of this repository."""
    return Path(shutil.copytree(sample_project(), parent / "project"))


@cache
def sample_project() -> Path:
    """One to copy, which takes less than to make another; its folder goes with this process."""
    parent = Path(tempfile.mkdtemp(prefix="vcmp-sample-"))
    atexit.register(shutil.rmtree, parent)
    folder = parent / "project"
    for name in ("conf", "agents"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text("outputs/\n__pycache__/\n", encoding="utf-8")
    git(folder, "init", "-q", "-b", "main", "--template=")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Start the sample project")
    git(folder, "repack", "-a", "-d", "-q")  # one file to copy instead of ninety
    return folder


def run_vcmp(
    project: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 100
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m vcmp` in the project, as a user would; no key is set unless `env` does."""
    return start_vcmp(project, *arguments, env=env).complete(timeout)


def start_vcmp(
    project: Path, *arguments: str, env: dict[str, str] | None = None, **more: Any
) -> Command:
    """Begin `python -m vcmp` in the project, as `run_vcmp` does, and do not wait for it."""
    inherited = {k: v for k, v in os.environ.items() if not re.match("_?(OPENAI|MLFLOW)_", k)}
    environment = {**inherited, "PYTHONPATH": str(ROOT), **(env or {})}
    return Command(arguments, project, environment, **more)


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database in which nothing is recorded, made once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    file = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "mlflow.db"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            unfinished = file.with_suffix(".new")
            uri = f"sqlite:///{unfinished}"
            code = f"import mlflow; mlflow.MlflowClient({uri!r}).search_experiments()"
            done = start_vcmp(folder, code=code).complete(100)
            assert done.returncode == 0, done.stderr
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
