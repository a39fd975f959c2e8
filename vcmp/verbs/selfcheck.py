"""`vcmp selfcheck`: the gate's own false alarms, on this dataset and with these scorers."""

import argparse
import shlex
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.console import announce, make_console, shown
from vcmp.errors import ConfigError, ResultsError
from vcmp.project import compose_one, new_folder

if TYPE_CHECKING:
    from rich.console import Console

    from vcmp.composition import Job
    from vcmp.config import Settings
    from vcmp.gates import Policy
    from vcmp.types import Evaluation

FILE = "selfcheck.json"
REPEATS = 8
SPLITS = 200


def run(options: list[str], overrides: list[str]) -> int:
    """Compare one version with itself again and again, and count the gate's false alarms: the
    baseline, or agent=…, evaluated with repeats=8; or a sweep's folder with repeats, for free."""
    parser = argparse.ArgumentParser(prog="vcmp selfcheck", description=run.__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="outputs/<sweep> with repeats")
    parser.add_argument("--splits", type=int, default=SPLITS, help=f"comparisons ({SPLITS})")
    parsed = parser.parse_args(options)
    if parsed.splits < 1:
        raise ConfigError(f"--splits {parsed.splits} compares nothing. Give it 1 or more.")
    console = make_console()
    if parsed.folder:
        from vcmp import policies, results

        policy = policies.choose(results.load_record(parsed.folder), overrides).policy
        return _check(parsed.folder, policy, parsed.splits, console)
    job = _compose(overrides)
    from vcmp.config import settle

    command = shlex.join(["python", "-m", "vcmp", "selfcheck", *overrides])
    folder = new_folder(Path.cwd() / "outputs")
    try:
        settings = settle([job], project=Path.cwd(), command=command)
        code = _evaluate(settings, folder, console)
        return code or _check(folder, settings.policy, parsed.splits, console)
    finally:
        if not any(folder.glob("*/results.jsonl")):
            shutil.rmtree(folder, ignore_errors=True)


def _compose(overrides: Sequence[str]) -> "Job":
    """The one job of a check: nothing is compared, and every case is repeated."""
    named = {override.lstrip("+").partition("=")[0] for override in overrides}
    own = [override for override in overrides if not override.startswith("baseline=")]
    if "repeats" not in named:
        own.append(f"repeats={REPEATS}")
    if "agent" not in named:
        baseline = compose_one(overrides).config["baseline"] or ""
        own += [f"agent={baseline}"] if Path(f"conf/agent/{baseline}.yaml").is_file() else []
    job = compose_one([*own, "baseline=null", "baselines=[]"])
    if job.config["repeats"] < 2:
        raise ConfigError(
            f"repeats={job.config['repeats']}: a check of the gate compares the repeats of a case "
            f"with each other. Give it 2 or more: repeats={REPEATS}"
        )
    return job


def _evaluate(settings: "Settings", folder: Path, console: "Console") -> int:
    """A run like any other, but for its verdict on the screen; the exit code of an interrupt."""
    from vcmp import conclusions, pipeline, recording, tracking
    from vcmp.config import plan_sweep
    from vcmp.evaluation import Interrupt
    from vcmp.progress import follow

    interrupt = Interrupt()
    tracking.set_defaults()  # before an agent or a scorer imports MLflow
    if settings.tracker:
        settings.tracker.set_environment()
    with settings.provider:
        sweep = plan_sweep(settings, folder)
        announce(sweep, console)
        pipeline.run(sweep, interrupt=interrupt, follow=partial(follow, console=console))
    if interrupt.requested():
        console.print(f"{interrupt}: what was done is kept in {shown(folder)}", markup=False)
        return interrupt.exit_code
    conclusion = conclusions.conclude_folder(folder, settings.policy)
    conclusions.write_reports(conclusion, folder, **settings.record.report)
    note = recording.record(conclusion, folder, settings.policy, sweep.tracker)
    if note:
        console.print(note, markup=False)
    return 0


def _check(folder: Path, policy: "Policy", n_splits: int, console: "Console") -> int:
    from vcmp import selfcheck
    from vcmp.results.files import pretty, replace_file

    found = selfcheck.check(_repeated(folder), policy, n_splits)
    console.print()
    for line in selfcheck.tell(found):
        console.print(line, markup=False)
    replace_file(folder / FILE, [pretty(selfcheck.document(found))])
    console.print(f"\nselfcheck  {shown(folder / FILE)}", markup=False)
    return int(found.is_alarming)


def _repeated(folder: Path) -> "Evaluation":
    """The sweep's baseline; where it has none, or one without repeats, a version that has some.

    Raises:
        ResultsError: No version was run twice.
    """
    from vcmp import baselines, results
    from vcmp.comparison import restrict

    record = results.load_record(folder)
    own = results.load_sweep(folder, record)
    chosen = baselines.choose([each.version.variant for each in own], record.baseline)
    outside = results.load_baseline(folder)
    first = [own[chosen[0]]] if chosen else [outside] if outside else []
    repeated = [each for each in (*first, *own) if each.repeats > 1]
    if not repeated:
        raise ResultsError(
            f"{folder}: every case was run once, and a check of the gate compares repeats.\n"
            f"  Evaluate the baseline with some: vcmp selfcheck repeats={REPEATS}"
        )
    return restrict(repeated[0], (case.id for case in repeated[0].cases))
