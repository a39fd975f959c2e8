"""The wheel, installed where nothing else is, runs a project that has only conf/ and agents/."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT, git, make_project


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    private = ("PYTHONPATH", "PYTHONPYCACHEPREFIX", "SSL_CERT_DIR", "VIRTUAL_ENV")
    clean = {key: value for key, value in os.environ.items() if key not in private}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**clean, **(env or {})}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    return done.stdout


def named(requirement: str) -> str:
    """What a line `Requires-Dist` of metadata asks for, unless an extra does."""
    name, _, marker = requirement.partition(";")
    return "" if "extra" in marker else re.split(r"[^\w.-]", name.strip())[0]


def required(requirements: Iterable[str]) -> dict[str, Distribution]:
    """What is required, and what that requires, as far as it is installed here."""
    found: dict[str, Distribution] = {}
    waiting = [name for name in map(named, requirements) if name]
    while waiting:
        name = re.sub("[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            with suppress(PackageNotFoundError):  # a marker rules it out
                found[name] = distribution(name)
                waiting += [each for each in map(named, found[name].requires or ()) if each]
    return found


def link(package: Distribution, site: Path) -> None:
    """Install by links what is installed here already."""
    for file in package.files or ():
        if file.parts[0] not in ("..", "__pycache__") and not (site / file.parts[0]).exists():
            (site / file.parts[0]).symlink_to(Path(str(package.locate_file(file.parts[0]))))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel and what it says that it requires, no more."""
    folder = tmp_path_factory.mktemp("environment")
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "build", "--wheel", "--quiet", "--out-dir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(*uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    run(*uv, "pip", "install", "--quiet", "--python", folder / "venv/bin/python",
        "--no-deps", wheel, cwd=folder)  # fmt: skip
    (site,) = (folder / "venv/lib").glob("*/site-packages")
    (installed,) = distributions(name="vcmp", path=[str(site)])
    for package in required(installed.requires or ()).values():
        link(package, site)
    return folder / "venv/bin"


@pytest.mark.timeout(300)
def test_both_commands_run_a_copied_project(environment: Path, tmp_path: Path):
    project = make_project(tmp_path)

    for n_reports, command in enumerate(
        (("python", "-m", "vcmp"), ("vcmp", "tracking=none")), start=1
    ):
        screen = run(environment / command[0], *command[1:], "agent=empathetic,basic",
                     "dataset.limit=10", "--multirun", cwd=project)  # fmt: skip

        assert "answered by: scripted demo" in screen
        assert len(list(project.glob("outputs/*/report.md"))) == n_reports
        assert git(project, "status", "--porcelain") == ""
