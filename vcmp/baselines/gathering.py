"""All that a sweep is judged with beside its own run, gathered before anything is paid for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vcmp import results
from vcmp.baselines.fetching import fetch
from vcmp.baselines.names import ANCHOR, VERSION, Asked, Wanted, choose
from vcmp.baselines.recordings import Pool, earlier_runs, is_same, sound
from vcmp.tracking import MlflowTracker
from vcmp.types import Plan, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What lies beside the evaluations of a sweep."""

    baseline: Pool = field(default_factory=Pool)
    """Empty when the baseline is one of the sweep's own versions, or there is none."""
    anchors: tuple[int | Pool, ...] = ()
    """The position of one of the sweep's own versions, or evaluations from elsewhere."""
    earlier: tuple[Pool, ...] = ()
    """By plan, the earlier runs of its version."""
    notes: tuple[str, ...] = ()
    """What a reader has to know."""

    def save(self, folder: Path, folders: Sequence[Path]) -> tuple[str, ...]:
        """Put everything beside the sweep's files in `folder`, its plans' being in `folders`.

        Returns:
            The folders of the anchors, within `folder`.
        """
        if self.baseline.evaluations:
            _save(self.baseline, folder / results.BASELINE)
        for pool, own in zip(self.earlier, folders, strict=True):
            results.save_earlier(pool.evaluations, own)
        places = []
        for number, anchor in enumerate(self.anchors):
            if isinstance(anchor, int):
                places.append(folders[anchor].name)
            else:
                places.append(f"{results.ANCHORS}/{number}")
                _save(anchor, folder / places[-1])
        return tuple(places)


def _save(pool: Pool, folder: Path) -> None:
    newest, *earlier = pool.evaluations
    results.save(newest, folder)
    results.save_earlier(earlier, folder)


def gather(wanted: Wanted, tracker: MlflowTracker | None) -> Gathered:
    """Get the baseline and the anchors that are not versions of the sweep itself, and the earlier
    runs of those that are.

    Raises:
        ConfigError: A baseline was asked for by version or revision, and is not there.
        ComparisonError: It was made with other cases, scorers or answers.
    """
    chosen = choose(wanted.variants, wanted.baseline) if len(wanted.plans) > 1 else None
    own = chosen[0] if chosen else None
    elsewhere = wanted.baseline and own is None
    baseline = fetch(Asked(name=wanted.baseline), wanted, tracker) if elsewhere else Pool()
    notes = list(baseline.notes)
    anchors: list[int | Pool] = []
    if own is not None or baseline.evaluations:
        base = wanted.plans[own].version if own is not None else baseline.evaluations[0].version
        for anchor, note in _anchors(wanted, tracker, base):
            anchors += [] if anchor is None else [anchor]
            notes += note
    pools = [baseline, *(anchor for anchor in anchors if isinstance(anchor, Pool))]
    taken = [evaluation.version for pool in pools for evaluation in pool.evaluations]
    earlier = tuple(_earlier(wanted, n, own, taken, tracker) for n in range(len(wanted.plans)))
    return Gathered(
        baseline=baseline,
        anchors=tuple(anchors),
        earlier=earlier,
        notes=(*notes, *_merged(wanted.plans, earlier)),
    )


def _anchors(
    wanted: Wanted, tracker: MlflowTracker | None, base: Version
) -> Iterator[tuple[int | Pool | None, Sequence[str]]]:
    """Each anchor, or None with a note when there is nothing new to compare with."""
    for name in wanted.anchors:
        asked = Asked(name=name, role="anchor")
        own = _own(name, wanted.plans, tracker)
        found = Pool() if own is not None else fetch(asked, wanted, tracker)
        if own is None and not found.evaluations:
            yield None, found.notes
            continue
        version = wanted.plans[own].version if own is not None else found.evaluations[0].version
        if version == base or is_same(version, base):
            yield None, (f"{asked} is {version.name}, which is the baseline already",)
        elif own is not None and len(wanted.plans) == 1:
            yield None, (f"{asked} is {version.name}, which is this version itself",)
        else:
            yield (found if own is None else own), found.notes


def _own(name: str, plans: Sequence[Plan], tracker: MlflowTracker | None) -> int | None:
    """The position of the sweep's own version that the anchor's name leads to."""
    if len(plans) > 1 and (chosen := choose([plan.version.variant for plan in plans], name)):
        return chosen[0]
    version = name.removeprefix(VERSION) if name.startswith(VERSION) else ""
    if name == ANCHOR and tracker:
        pinned = tracker.anchor(plans[0].version.app)
        version = pinned.name if pinned else ""
    traceable = (n for n, plan in enumerate(plans) if plan.version.revision)
    return next((n for n in traceable if plans[n].version.name == version), None)


def _earlier(
    wanted: Wanted,
    number: int,
    baseline: int | None,
    taken: Sequence[Version],
    tracker: MlflowTracker | None,
) -> Pool:
    """The earlier runs of a plan's version, without those that it is compared with.

    A selection that a candidate has won is corrected for where as many are compared again, and is
    a bias anywhere else.
    """
    plan = wanted.plans[number]
    if not wanted.pool or not tracker or any(is_same(plan.version, each) for each in taken):
        return Pool()
    n_candidates = len(wanted.plans) - (baseline is not None)
    best_of = 0 if number == baseline else n_candidates
    kept, left = sound(earlier_runs(plan, tracker), wanted, best_of)
    pool = Pool(evaluations=tuple(recording.evaluation for recording in kept))
    if kept:
        runs = f"{len(kept)} earlier run{'s' if len(kept) > 1 else ''}"
        left.append(
            f"pooled with {runs} of the same version ({plan.repeats + pool.repeats} repeats in"
            " all); pool=false judges this run alone"
        )
    return Pool(evaluations=pool.evaluations, notes=tuple(left))


def _merged(plans: Sequence[Plan], pools: Sequence[Pool]) -> Iterator[str]:
    """Notes that begin with the variants that they are about."""
    variants: dict[str, list[str]] = {}
    for plan, pool in zip(plans, pools, strict=True):
        for note in pool.notes:
            variants.setdefault(note, []).append(plan.version.variant.name)
    return (f"{', '.join(names)}: {note}" for note, names in variants.items())
