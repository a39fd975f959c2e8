"""What the stories share: a copied sample project in a git repository, and the command line."""

import atexit
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("vcmp", deadline=None)  # a busy machine is no defect
settings.load_profile("vcmp")

ROOT = Path(__file__).parent.parent

# a thousand processes import the same modules: they need not compile them each
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = f"{tempfile.gettempdir()}/vcmp-bytecode"
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
    environment = {**inherited, "PYTHONPATH": str(ROOT), **(env or {})}
    return warmed().run(arguments, project, environment, timeout)


class Warm:
    """A process in which slow modules are imported, of which each command line gets a copy."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="vcmp-warm-")
        self.address = f"{self.folder.name}/socket"
        command = [sys.executable, str(ROOT / "tests/warm.py"), self.address]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, env=environment)
        atexit.register(self.close)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        with (
            tempfile.NamedTemporaryFile() as stdout,
            tempfile.NamedTemporaryFile() as stderr,
            self._connect(timeout) as connection,
        ):
            command = {
                "arguments": arguments,
                "cwd": str(folder),
                "env": environment,
                "stdout": stdout.name,
                "stderr": stderr.name,
            }
            connection.sendall(f"{json.dumps(command)}\n".encode())
            replies = connection.makefile()
            process = int(replies.readline())
            try:
                code = int(replies.readline())
            except TimeoutError:
                os.killpg(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["vcmp", *arguments], timeout) from None
            said = [Path(file.name).read_text(encoding="utf-8") for file in (stdout, stderr)]
        return subprocess.CompletedProcess(["vcmp", *arguments], code, *said)

    def _connect(self, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        for _ in range(1000):
            with suppress(FileNotFoundError, ConnectionRefusedError):
                connection.connect(self.address)
                return connection
            time.sleep(0.05)
        raise TimeoutError("the warm process does not start")


@cache
def warmed() -> Warm:
    return Warm()


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
