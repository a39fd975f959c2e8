"""Runs of one version, pooled: a run adds repeats to those before it, it does not replace them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from vcmp.results.evaluations import load, save
from vcmp.types import Evaluation, Result

EARLIER = "earlier"
"""Folder, beside an evaluation's own files, of earlier ones of the same version."""


def save_earlier(earlier: Sequence[Evaluation], folder: Path) -> None:
    """Put earlier evaluations of a version, newest first, beside the files of its own in `folder`.

    What is in `folder` itself stays the own evaluation, as `load` reads it.
    """
    for number, evaluation in enumerate(earlier):
        save(evaluation, folder / EARLIER / str(number))


def load_pooled(folder: Path) -> Evaluation:
    """The evaluation in `folder`, pooled with the earlier ones beside it.

    Raises:
        ResultsError: A file is missing, damaged or of another layout.
    """
    return pool(load(folder), load_earlier(folder))


def load_earlier(folder: Path) -> tuple[Evaluation, ...]:
    """What `save_earlier` put there.

    Raises:
        ResultsError: A file is missing, damaged or of another layout.
    """
    folders = sorted((folder / EARLIER).glob("*"), key=lambda path: int(path.name))
    return tuple(load(path) for path in folders)


def pool(own: Evaluation, earlier: Sequence[Evaluation]) -> Evaluation:
    """One evaluation with the results of all.

    Args:
        own: Its results keep their repeats.
        earlier: Of the same version, dataset and yardstick; their repeats are counted on, in the
            order given. A run that a planned look ended has repeats of the cases up to it.
    """
    if not earlier:
        return own
    place = {case.id: number for number, case in enumerate(own.dataset.cases)}
    rows = sorted(_renumbered([own, *earlier]), key=lambda row: (place[row.case_id], row.repeat))
    runs = [own, *earlier]
    whole = all(evaluation.asked is None for evaluation in runs)
    asked = {case_id: sum(each.n_asked_of(case_id) for each in runs) for case_id in place}
    return replace(
        own,
        results=tuple(rows),
        repeats=sum(evaluation.repeats for evaluation in runs),
        asked=None if whole else {case_id: n for case_id, n in asked.items() if n},
        earlier=frozenset(case.id for each in earlier for case in each.cases),
    )


def _renumbered(evaluations: Sequence[Evaluation]) -> Iterator[Result]:
    starts = accumulate((evaluation.repeats for evaluation in evaluations), initial=0)
    for start, evaluation in zip(starts, evaluations, strict=False):
        for result in evaluation.results:
            yield replace(result, repeat=start + result.repeat)
