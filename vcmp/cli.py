"""The command line: `vcmp <verb>` or, for everything else, the main job.

The sweep is run and concluded here, after Hydra has returned, and not in a Hydra callback: Hydra
turns an exception of a callback into a warning and exits with 0, so a gate there would pass
whenever the code around it breaks.
"""

import errno
import gc
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from vcmp.console import (
    announce,
    confirm,
    make_console,
    present,
    shown,
    tell_end,
    tell_way_on,
    telling_way_on,
)
from vcmp.display import printable
from vcmp.errand import Errand
from vcmp.errors import ConfigError, StorageError, Terminated, VcmpError, suggest
from vcmp.files import occupy
from vcmp.outlets import discard_output
from vcmp.project import enter_project, folder_overrides, new_folder
from vcmp.resumption import take_folder, take_up
from vcmp.screening import arrange, is_override, refuse_keys
from vcmp.secrets import mask, remember
from vcmp.verbs import VERBS, run

if TYPE_CHECKING:
    from vcmp.config import Settings

SHOWS = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}
"""Options with which Hydra shows something and runs nothing."""
UNUSABLE = 2
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a disk, or a user's share of it, that has no room left."""
INTERRUPTED = 128
"""Exit code of an interrupted run, plus the signal's number."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0 pass or nothing to decide, 1 the gate failed, 2 usage or configuration,
        3 inconclusive, 4 the evidence cannot be judged, 128 + n ended by signal n.
    """
    if threading.current_thread() is threading.main_thread():
        # an exception: what is running is ended by those who started it, a baseline's process too
        signal.signal(signal.SIGTERM, partial(_leave, os.getpid()))
    remember()
    try:
        return _dispatch(list(arguments))
    except Terminated:
        return INTERRUPTED + signal.SIGTERM
    except KeyboardInterrupt:
        return INTERRUPTED + signal.SIGINT
    except BrokenPipeError:
        discard_output()
        return 0
    except Exception as error:
        if os.environ.get("VCMP_DEBUG") == "1":
            raise
        print(printable(f"vcmp: {mask(explain(error))}"), file=sys.stderr)
        return exit_code_of(error)


def _leave(own: int, number: int, _frame: FrameType | None) -> NoReturn:
    if os.getpid() != own:  # an agent's fork, which has this handler too
        os._exit(INTERRUPTED + number)
    raise Terminated


def exit_code_of(error: Exception) -> int:
    """Of an error that ended the program; a full disk says nothing about the command line."""
    if isinstance(error, OSError) and error.errno in FULL:
        return StorageError.exit_code
    return error.exit_code if isinstance(error, VcmpError) else UNUSABLE


def explain(error: Exception) -> str:
    """An error that ended the program, in at most three lines."""
    if isinstance(error, VcmpError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. Make room or give access, and run it again."
    return (
        f"{type(error).__name__}: {error}".splitlines()[0]
        + "\n  This is a defect of vcmp. VCMP_DEBUG=1 shows where it is."
    )


def _dispatch(arguments: list[str]) -> int:
    refuse_keys(arguments)
    if arguments[:1] == ["--version"]:
        print(f"vcmp {version('vcmp')}")
        return 0
    if arguments[:1] in (["--help"], ["-h"], ["help"]):
        print(help_text(Path("conf")))
        return 0
    word = arguments[0] if arguments else ""
    if word in VERBS:
        return run(word, arguments[1:])
    if word and not word.startswith("-") and not is_override(word):
        raise ConfigError(
            f"{word!r} is neither a command nor an override.{suggest(word, VERBS)}\n"
            f"  Commands: {', '.join(VERBS)}. An override is key=value: agent=basic"
        )
    return run_sweep(arguments)


def run_sweep(arguments: Sequence[str]) -> int:
    """The main job: compose, evaluate, record, conclude, report."""
    given, unfinished = take_folder(arguments)
    arranged = arrange(given)
    conf = enter_project(arranged)
    from vcmp.composition import compose

    if any(option.split("=")[0] in SHOWS for option in arranged):
        compose(arranged, conf=conf)
        return 0
    errand = Errand.take()
    folder = unfinished or (errand.folder if errand else new_folder(Path.cwd() / "outputs"))
    if not errand and not occupy(folder, waits=False):
        raise ConfigError(
            f"resume={shown(folder)}: another process is at work in this folder.\n"
            "  Let it end, or interrupt it; then go on."
        )
    try:
        jobs = compose([*arranged, *folder_overrides(folder)], conf=conf)
        if not jobs:
            raise ConfigError(
                "hydra/launcher: takes the jobs to other processes, and vcmp runs all versions of a"
                " sweep\n  together, case by case. Remove it; concurrency=… cases run at once."
            )
        from vcmp.config import settle

        command = f"python -m vcmp {shlex.join(given)}"
        settings = settle(jobs, project=Path.cwd(), command=command)
        record = replace(settings.record, arguments=tuple(given))
        settings = replace(settings, record=record)
        return _run(settings, folder, errand, resumes=unfinished is not None)
    finally:
        # answers that no judge has scored yet are paid for, too
        if not unfinished and not any(folder.rglob("*.jsonl")):
            shutil.rmtree(folder, ignore_errors=True)


def _run(settings: "Settings", folder: Path, errand: Errand | None, *, resumes: bool) -> int:
    from vcmp import conclusions, pipeline, provider, recording, tracking
    from vcmp.config import plan_sweep
    from vcmp.evaluation import Interrupt
    from vcmp.progress import follow

    console, interrupt = make_console(), Interrupt(partial(tell_way_on, folder))
    if errand:
        errand.heed(interrupt.request, interrupt.end_process)
    tracking.set_defaults()  # before an agent or a scorer imports MLflow
    if settings.tracker:
        settings.tracker.set_environment()
    if resumes and isinstance(settings.provider, provider.Record):
        settings.provider.go_on()
    with telling_way_on(folder), settings.provider:
        sweep = plan_sweep(settings, folder)
        if errand:
            sweep = replace(sweep, payer=errand.sweep)
        if resumes:
            sweep = take_up(sweep)
        announce(sweep, console)
        if not errand:  # whoever sent it has asked
            confirm(sweep, console)
        # what has been imported stays: looking through it again and again takes a third of the time
        gc.freeze()
        evaluations = pipeline.run(
            sweep, interrupt=interrupt, follow=partial(follow, console=console)
        )
    if interrupt.requested():
        tell_end(evaluations, interrupt, folder, console)
    if interrupt.signal:
        return interrupt.exit_code
    del evaluations  # the files have them, and are read again
    with telling_way_on(folder):
        conclusion = present(folder, settings.policy, settings.record.report, console)
    try:
        note = recording.record(conclusion, folder, settings.policy, sweep.tracker)
    except KeyboardInterrupt:
        console.print(f"interrupted while recording; record later: vcmp sync {shown(folder)}")
        raise
    if note:
        console.print(note, markup=False)
    return conclusions.exit_code(conclusion, settings.policy)


def help_text(conf: Path) -> str:
    """What `--help` prints: usage, commands, and the choices of the project at hand."""
    lines = [
        "vcmp: is this version of my agent better than the one I ship?",
        "",
        "  python -m vcmp agent=empathetic,basic --multirun   compare versions",
        "  python -m vcmp agent=empathetic                    evaluate one version",
        "  python -m vcmp --cfg job                           show the composed configuration",
        "",
        "commands:",
        *(f"  vcmp {verb:<12} {what}" for verb, what in VERBS.items()),
        "",
        "overrides: agent.<parameter>=, baseline=, baselines=, repeats=, pool=, concurrency=,",
        "  seed=, app=, gate.looks=, gate.select=, outcomes.<outcome>=, budget.usd=, resume=,",
        "  budget.tokens=, budget.calls=, budget.minutes=, budget.confirm_usd=, dataset.path=,",
        "  provider.base_url=, provider.api_key_env=, provider.cassette=, provider.upstream=,",
        "  provider.cache=, tracking.uri=, tracking.experiment=, tracking.required=;",
        "  several values (a,b) with --multirun make a sweep.",
    ]
    groups = sorted(path for path in conf.glob("*") if any(path.glob("*.yaml")))
    if groups:
        lines += ["", f"choices in {conf}/:"]
        lines += [
            f"  {group.name}={','.join(sorted(path.stem for path in group.glob('*.yaml')))}"
            for group in groups
        ]
    lines += [
        "",
        "exit codes: 0 pass, 1 gate failed, 2 usage or configuration, 3 inconclusive,",
        "  4 the evidence cannot be judged, or budget or provider ended it, 130 interrupted.",
        "  --hydra-help shows Hydra's options.",
    ]
    return "\n".join(lines)
