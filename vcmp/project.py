"""The project at hand: its configuration folder, and the folders that runs leave."""

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.errors import ConfigError
from vcmp.paths import inside
from vcmp.screening import arrange, check_choices, check_files, check_folder

if TYPE_CHECKING:
    from vcmp.composition import Job


def enter_project(arguments: Sequence[str]) -> Path:
    """The configuration folder, looked through; the project's modules can be imported from now on.

    Raises:
        ConfigError: There is no such folder, or a file in it cannot be used.
    """
    conf = Path(_named(arguments, "--config-path", "-cp") or "conf")
    check_files(conf)
    check_choices(arguments, conf)
    more = _named(arguments, "--config-dir", "-cd")
    if more and Path(more).is_dir():
        check_folder(Path(more))
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return conf.absolute()


def _named(arguments: Sequence[str], *options: str) -> str:
    """The folder that an option names; "" without one of the options."""
    folder = ""
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name in options:
            following = arguments[number + 1 : number + 2]
            if not value and not following:
                raise ConfigError(f"{name}: names no folder. Write {name} FOLDER")
            folder = value or following[0]
    return folder


def new_folder(outputs: Path) -> Path:
    """Make a folder for one sweep that no other process has, and keep `outputs` out of git.

    Raises:
        ConfigError: `outputs` is a link that leads out of the project, which a change of the
            project's files could have made one.
    """
    inside(outputs.parent, outputs, outputs.name, "Make it a folder of the project.")
    outputs.mkdir(exist_ok=True)
    with suppress(FileExistsError), (outputs / ".gitignore").open("x", encoding="utf-8") as ignore:
        ignore.write("*\n")
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    for name in itertools.chain([stamp], (f"{stamp}-{n}" for n in itertools.count(2))):
        try:
            (outputs / name).mkdir()
        except FileExistsError:
            continue
        return outputs / name
    raise AssertionError("itertools.count ended")


def folder_overrides(folder: Path) -> list[str]:
    """Tell Hydra where a sweep's jobs go, whatever a file says, and to write nothing itself."""
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    return [
        f"hydra.run.dir='{quoted}/0'",
        f"hydra.sweep.dir='{quoted}'",
        "hydra.sweep.subdir='${hydra.job.num}'",
        "hydra.output_subdir=null",  # it copies the configuration as it is, a key in it too
        "hydra/job_logging=disabled",
        "hydra/hydra_logging=disabled",
    ]


def compose_one(overrides: Sequence[str], needed: Collection[str] | None = None) -> "Job":
    """The configuration as the main job would see it, without leaving a trace of composing it.

    Args:
        overrides: What the command line changes.
        needed: Keys whose values are needed; all, unless they are named.

    Raises:
        ConfigError: It cannot be composed.
    """
    arranged = arrange(overrides)
    conf = enter_project(arranged)
    from vcmp.composition import compose

    with tempfile.TemporaryDirectory() as folder:
        arguments = [*arranged, *folder_overrides(Path(folder))]
        return compose(arguments, conf=conf, needed=needed)[0]
