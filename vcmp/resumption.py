"""Going on with a sweep that was ended: what it has finished is not asked for again."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.errors import ConfigError
from vcmp.paths import inside
from vcmp.places import PLACES, place_of
from vcmp.screening import is_override

if TYPE_CHECKING:
    from vcmp.pipeline import Sweep

_KEY = "resume="


def take_folder(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """The arguments without `resume=<folder>`, and that folder.

    Raises:
        ConfigError: The folder is not there.
    """
    given = [argument for argument in arguments if argument.startswith(_KEY)]
    others = [argument for argument in arguments if not argument.startswith(_KEY)]
    if not given:
        return others, None
    folder = Path(given[-1].removeprefix(_KEY))
    if not (folder / "sweep.json").is_file():
        raise ConfigError(f"{given[-1]}: is no folder of a sweep. Give one: resume=outputs/<sweep>")
    return others, folder.absolute()


def recorded_arguments(folder: Path) -> list[str]:
    """The command line that began the sweep in `folder`, made to go on with it.

    Raises:
        ConfigError: It did not begin with the main job's command line; or that says something that
            only a user may say, and the folder may come from anywhere.
        ResultsError: The folder is no sweep's.
    """
    from vcmp import results

    arguments = results.load_record(folder).arguments
    if not arguments:
        raise ConfigError(
            f"{folder}: does not say how it was begun.\n"
            f"  Repeat its command line with resume={folder}"
        )
    for argument in arguments:
        _refuse_reach(argument, folder)
    return [*arguments, f"{_KEY}{folder}"]


def _refuse_reach(argument: str, folder: Path) -> None:
    """Refuse what reaches beyond the project, or into Hydra, when it was read and not typed."""
    name, _, value = argument.lstrip("+~").partition("=")
    advice = f"If it is yours, repeat the command line with resume={folder}"
    if name.startswith(("hydra", "trust", "--config", "-c")):
        raise ConfigError(f"{folder}/sweep.json: begun with {argument!r}.\n  {advice}")
    place = place_of(name, value.strip("'\"")) if name in PLACES else ""
    if place:
        inside(Path.cwd(), place, f"{folder}/sweep.json: {name}", advice)


def take_up(sweep: "Sweep") -> "Sweep":
    """The sweep with all that an earlier run has left in its folder.

    Raises:
        ConfigError: That was made by other code, other variants or another provider.
        ResultsError: Files are damaged.
    """
    from vcmp import baselines, results

    begun = results.load_record(sweep.folder)
    _refuse_others(sweep, begun.versions)
    _refuse_other_code(sweep, begun.code)
    _refuse_other_answerer(sweep, begun.answerer)
    known, n_others = [], 0
    for plan, folder in zip(sweep.plans, sweep.folders, strict=True):
        wanted = {plan.key(c, repeat) for c in plan.dataset.cases for repeat in range(plan.repeats)}
        left = results.load_unfinished(folder)
        known.append({key: result for key, result in left.items() if key in wanted})
        n_others += len(left.keys() - wanted)
    record = replace(
        sweep.record,
        anchor_folders=begun.anchor_folders,
        command=begun.command,
        arguments=last_of_each(sweep.record.arguments),
        notes=begun.notes,
        gathering=begun.gathering,
        revisions=begun.revisions,
    )
    if begun.gathering:
        record = replace(record, notes=(*record.notes, *baselines.moved(begun.revisions)))
    if n_others:
        told = f"{n_others} earlier results are of other cases, scorers or limits and are left out"
        record = replace(record, notes=(*record.notes, told))
    return replace(sweep, known=tuple(known), record=record)


def last_of_each(arguments: Sequence[str]) -> tuple[str, ...]:
    """The arguments without overrides that a later one of the same key replaces."""
    last = {argument.partition("=")[0]: number for number, argument in enumerate(arguments)}
    return tuple(
        argument
        for number, argument in enumerate(arguments)
        if not is_override(argument) or last[argument.partition("=")[0]] == number
    )


def _refuse_others(sweep: "Sweep", begun: Sequence[str]) -> None:
    now = sweep.record.versions
    if tuple(begun) == now:
        return
    where = f"resume={os.path.relpath(sweep.folder)}"
    for before, after in zip(begun, now, strict=False):
        if before != after:
            raise ConfigError(
                f"{where}: was begun with {before}, and this is {after}.\n"
                "  Bring back the code and the command line it was begun with, or evaluate anew."
            )
    raise ConfigError(
        f"{where}: was begun with {len(begun)} versions, and these are {len(now)}.\n"
        f"  Go on with all of them: vcmp resume {os.path.relpath(sweep.folder)}"
    )


def _refuse_other_code(sweep: "Sweep", begun: str) -> None:
    """Outside git all code has the same name."""
    if begun and begun != sweep.record.code:
        raise ConfigError(
            f"resume={os.path.relpath(sweep.folder)}: was begun with other code than there is now."
            "\n  Bring that back, or evaluate anew. In git, versions are named after their code."
        )


def _refuse_other_answerer(sweep: "Sweep", begun: str) -> None:
    now = sweep.record.answerer
    if begun and begun != now:
        raise ConfigError(
            f"resume={os.path.relpath(sweep.folder)}: was begun with answers of {begun},"
            f" and these are of {now}.\n"
            "  Bring back the provider that it was begun with, or evaluate anew."
        )
