"""The wheel, installed where nothing else is, runs a project that has only conf/ and agents/."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, git, make_project


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**clean, **(env or {})}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "build", "--wheel", "--quiet", "--out-dir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(*uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    run(*uv, "pip", "install", "--quiet", "--python", folder / "venv/bin/python",
        "-c", ROOT / "constraints.txt", wheel, cwd=folder)  # fmt: skip
    return folder / "venv/bin"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", [("python", "-m", "vcmp"), ("vcmp",)])
def test_both_commands_run_a_copied_project(
    environment: Path, tmp_path: Path, command: tuple[str, ...]
):
    project = make_project(tmp_path)

    screen = run(environment / command[0], *command[1:], "agent=empathetic,basic",
                 "dataset.limit=10", "--multirun", cwd=project)  # fmt: skip

    assert "answered by: scripted demo" in screen
    assert len(list(project.glob("outputs/*/report.md"))) == 1
    assert git(project, "status", "--porcelain") == ""
