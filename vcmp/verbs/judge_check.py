"""`vcmp judge-check`: compare judges with labels that people gave."""

import argparse
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.console import make_console, shown
from vcmp.project import compose_one, new_folder

if TYPE_CHECKING:
    from rich.console import Console

    from vcmp.checking import Checked, Inquest
    from vcmp.config import Settings
    from vcmp.evaluation import Interrupt
    from vcmp.types import Evaluation, Plan, Result

FILE = "judge-check.json"


def run(options: list[str], overrides: list[str]) -> int:
    """Compare judges with the labels of a dataset: dataset=… scorers=…"""
    parser = argparse.ArgumentParser(prog="vcmp judge-check", description=run.__doc__)
    parser.parse_args(options)
    job = compose_one(overrides)
    from vcmp.config import settle

    command = shlex.join(["vcmp", "judge-check", *overrides])
    folder = new_folder(Path.cwd() / "outputs")
    try:
        return _check(settle([job], project=Path.cwd(), command=command), folder)
    finally:
        if not (folder / FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _check(settings: "Settings", folder: Path) -> int:
    from vcmp import checking, tracking
    from vcmp.config import plan_sweep
    from vcmp.evaluation import Interrupt
    from vcmp.results.files import pretty, replace_file

    console, interrupt = make_console(), Interrupt()
    tracking.set_defaults()  # before an agent or a scorer imports MLflow
    choices = settings.jobs[0].choices
    with settings.provider:
        (plan,) = plan_sweep(settings, folder).plans
        labels = checking.read_labels(
            plan,
            dataset=f"dataset={choices.get('dataset')}",
            scorers=f"scorers={choices.get('scorers')}",
        )
        inquest = checking.prepare(plan, labels)
        checking.announce(inquest, console)
        answers, checked = _ask(inquest, settings, interrupt, console)
    if interrupt.requested():
        console.print(f"{interrupt}: no judge was checked", markup=False)
        return interrupt.exit_code
    checking.refuse_silence(checked)
    failed = {case_id: answer.error for case_id, answer in answers.items() if answer.error}
    document = checking.document_of(inquest, checked, failed, settings.record.command)
    replace_file(folder / FILE, [pretty(document)])
    checking.show(inquest, checked, failed, console)
    console.print()
    console.print(f"checked   {shown(folder / FILE)}", markup=False)
    return 0


def _ask(
    inquest: "Inquest", settings: "Settings", interrupt: "Interrupt", console: "Console"
) -> "tuple[dict[str, Result], list[Checked]]":
    from vcmp import checking, pipeline
    from vcmp.progress import follow

    def evaluate(plans: "Sequence[Plan]", doing: str) -> "tuple[Evaluation, ...]":
        total = sum(len(plan.dataset.cases) for plan in plans)
        with follow(total, doing, console=console) as tick:
            return pipeline.evaluate(
                plans,
                limits=settings.limits,
                on_result=tick,
                interrupt=interrupt,
                budget=settings.budget,
            )

    answers = checking.find_answers(inquest, evaluate)
    return answers, checking.ask_judges(inquest, answers, evaluate)
