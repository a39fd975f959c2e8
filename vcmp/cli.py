"""The command line: `vcmp <verb>` or, for everything else, the main job.

The sweep is run and concluded here, after Hydra has returned, and not in a Hydra callback: Hydra
turns an exception of a callback into a warning and exits with 0, so a gate there would pass
whenever the code around it breaks.
"""

import itertools
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcmp.errors import ConfigError, VcmpError, suggest
from vcmp.screening import arrange, check_files, is_override
from vcmp.secrets import scrub

if TYPE_CHECKING:
    from rich.console import Console

    from vcmp.config import Settings
    from vcmp.gates import Policy
    from vcmp.pipeline import Sweep
    from vcmp.types import Conclusion

VERBS = {
    "conclude": "decide and report again from a sweep's files: another gate, another template",
    "ui": "open the MLflow UI on the project's tracking store",
    "versions": "list and rank recorded versions; `versions show NAME` analyses one's traces",
}
SHOWS = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}
"""Options with which Hydra shows something and runs nothing."""
UNUSABLE = 2
INTERRUPTED = 128
"""Exit code of an interrupted run, plus the signal's number."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0 pass or nothing to decide, 1 the gate failed, 2 usage or configuration,
        3 inconclusive, 4 the evidence cannot be judged, 128 + n ended by signal n.
    """
    try:
        return _dispatch(list(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED + signal.SIGINT
    except BrokenPipeError:
        discard_output()
        return 0
    except Exception as error:
        if os.environ.get("VCMP_DEBUG") == "1":
            raise
        print(f"vcmp: {scrub(explain(error))}", file=sys.stderr)
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
    if arguments[:1] == ["--version"]:
        print(f"vcmp {version('vcmp')}")
        return 0
    if arguments[:1] in (["--help"], ["-h"], ["help"]):
        print(help_text(Path("conf")))
        return 0
    word = arguments[0] if arguments else ""
    if word in VERBS:
        from vcmp import verbs

        return verbs.run(word, arguments[1:])
    if word and not word.startswith("-") and not is_override(word):
        raise ConfigError(
            f"{word!r} is neither a command nor an override.{suggest(word, VERBS)}\n"
            f"  Commands: {', '.join(VERBS)}. An override is key=value: agent=basic"
        )
    return run_sweep(arguments)


def run_sweep(arguments: Sequence[str]) -> int:
    """The main job: compose, evaluate, record, conclude, report."""
    arranged = arrange(arguments)
    conf = enter_project(arranged)
    from vcmp.composition import compose

    if any(option.split("=")[0] in SHOWS for option in arranged):
        compose(arranged, conf=conf)
        return 0
    folder = new_folder(Path.cwd() / "outputs")
    try:
        jobs = compose([*arranged, *folder_overrides(folder)], conf=conf)
        if not jobs:
            raise ConfigError(
                "hydra/launcher: takes the jobs to other processes, and vcmp runs all versions of a"
                " sweep\n  together, case by case. Remove it; concurrency=… cases run at once."
            )
        from vcmp.config import settle

        command = f"python -m vcmp {shlex.join(arguments)}"
        return _run(settle(jobs, project=Path.cwd(), command=command), folder)
    finally:
        if not any(folder.glob("*/results.jsonl")):
            shutil.rmtree(folder, ignore_errors=True)


def _run(settings: "Settings", folder: Path) -> int:
    from vcmp import pipeline, tracking
    from vcmp.config import plan_sweep
    from vcmp.evaluation import Interrupt
    from vcmp.progress import follow

    console, interrupt = make_console(), Interrupt()
    tracking.set_defaults()  # before an agent or a scorer imports MLflow
    if settings.tracker:
        settings.tracker.set_environment()
    with settings.provider:
        sweep = plan_sweep(settings, folder)
        announce(sweep, console)
        total = sum(len(plan.dataset.cases) * plan.repeats for plan in sweep.plans)
        with follow(total, console) as tick:
            evaluations = pipeline.run(sweep, interrupt=interrupt, on_result=tick)
    if interrupt.requested():
        done = sum(len(evaluation.results) for evaluation in evaluations)
        console.print(f"interrupted: {done} of {total} results are kept in {shown(folder)}")
        return INTERRUPTED + interrupt.signal
    conclusion = present(folder, settings.policy, settings.record.report, console)
    try:
        pipeline.record(conclusion, sweep)
    except KeyboardInterrupt:
        console.print("interrupted: the report is complete, the record in the store is not")
        raise
    return pipeline.exit_code(conclusion, settings.policy)


def enter_project(arguments: Sequence[str]) -> Path:
    """The configuration folder, looked through; the project's modules can be imported from now on.

    Raises:
        ConfigError: There is no such folder, or a file in it cannot be used.
    """
    conf = Path("conf")
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name in ("--config-path", "-cp"):
            following = arguments[number + 1 : number + 2]
            if not value and not following:
                raise ConfigError(f"{name}: names no folder. Write {name} FOLDER")
            conf = Path(value or following[0])
    check_files(conf)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return conf.absolute()


def new_folder(outputs: Path) -> Path:
    """Make a folder for one sweep that no other process has, and keep `outputs` out of git."""
    outputs.mkdir(exist_ok=True)
    ignore = outputs / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    for name in itertools.chain([stamp], (f"{stamp}-{n}" for n in itertools.count(2))):
        try:
            (outputs / name).mkdir()
        except FileExistsError:
            continue
        return outputs / name
    raise AssertionError("itertools.count ended")


def folder_overrides(folder: Path) -> list[str]:
    """Tell Hydra where a sweep's jobs go, and to write no log of its own."""
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    return [
        f"hydra.run.dir='{quoted}/0'",
        f"hydra.sweep.dir='{quoted}'",
        "hydra/job_logging=disabled",
        "hydra/hydra_logging=disabled",
    ]


def make_console() -> "Console":
    """The screen: no wrapping and no colour where stdout is not a terminal; a reader that goes
    away, as in `| head`, ends the output and not the sweep."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            discard_output()

    if sys.stdout is None:
        return Console(quiet=True)
    width = None if sys.stdout.isatty() else 1000
    return Screen(highlight=False, soft_wrap=True, width=width)


def discard_output() -> None:
    """Let what is still printed go nowhere: nobody reads it any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def announce(sweep: "Sweep", console: "Console") -> None:
    """Say who is going to answer how often, before it starts."""
    first = sweep.plans[0]
    n_cases, n_versions = len(first.dataset.cases), len(sweep.plans)
    repeats = f" × {first.repeats} repeats" if first.repeats > 1 else ""
    for note in sweep.record.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"answered by: {first.answerer.description}", markup=False)
    console.print(
        f"{n_versions} version{'s' * (n_versions > 1)} × {n_cases} cases{repeats}"
        f" of {first.dataset.name}",
        markup=False,
    )
    if sweep.record.baseline.startswith("git:"):
        console.print(f"the baseline, {sweep.record.baseline}, is evaluated first", markup=False)


def present(
    folder: Path, policy: "Policy", report: Mapping[str, Any], console: "Console"
) -> "Conclusion":
    """Conclude a sweep, write its reports, and show what follows and where it stands."""
    from vcmp import pipeline, reports

    conclusion = pipeline.conclude_folder(folder, policy)
    pipeline.write_reports(conclusion, folder, **report)
    reports.screen(conclusion, console)
    console.print()
    if conclusion.baseline_note:
        console.print(f"baseline  {conclusion.baseline_note}", markup=False)
    console.print(f"report    {shown(folder / 'report.md')}", markup=False)
    names = ", ".join(evaluation.version.name for evaluation in conclusion.evaluations)
    console.print(f"versions  {names}", markup=False)
    return conclusion


def shown(path: Path) -> str:
    """A path as the user would type it from here."""
    return os.path.relpath(path)


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
        *(f"  vcmp {verb:<10} {what}" for verb, what in VERBS.items()),
        "",
        "overrides: agent.<parameter>=, baseline=, repeats=, concurrency=, seed=, app=,",
        "  dataset.path=, provider.base_url=, provider.api_key_env=, tracking.uri=,",
        "  tracking.experiment=; several values (a,b) with --multirun make a sweep.",
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
        "  4 the evidence cannot be judged, 130 interrupted. --hydra-help shows Hydra's options.",
    ]
    return "\n".join(lines)
