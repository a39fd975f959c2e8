"""What a sweep is judged with and need not be run: from the store, or said to be missing."""

from dataclasses import replace

from vcmp import baselines, recording, results
from vcmp.baselines import Wanted
from vcmp.errors import TrackingError
from vcmp.pipeline.sweeps import Sweep
from vcmp.results import SweepRecord
from vcmp.tracking import MlflowTracker


def gather(sweep: Sweep) -> SweepRecord:
    """Put what the sweep is judged with, and has not to be run, beside its files.

    Its record is there before: a revision is paid for, and the sweep can go on from then.
    """
    sweep = _begin(sweep)
    try:
        if sweep.tracker:
            sweep.tracker.prepare()
        return _fetch(sweep, sweep.record, sweep.tracker)
    except TrackingError as error:
        return _fetch(sweep, _without_store(error, sweep), None)


def _begin(sweep: Sweep) -> Sweep:
    """The sweep with its record saved, unless an earlier run has gathered everything."""
    record = sweep.record
    if sweep.gathered:
        return sweep
    revisions = baselines.resolve(record.baseline, record.anchors, record.revisions)
    record = replace(record, revisions=revisions, gathering=True)
    results.save_record(record, sweep.folder)
    return replace(sweep, record=record)


def _fetch(sweep: Sweep, record: SweepRecord, tracker: MlflowTracker | None) -> SweepRecord:
    if not record.gathering:
        return record  # what an earlier run of the sweep gathered is what this one is judged with
    gathered = baselines.gather(_wanted(sweep), tracker)
    return replace(
        record,
        gathering=False,
        anchor_folders=gathered.save(sweep.folder, sweep.folders),
        notes=(*record.notes, *gathered.notes),
    )


def _wanted(sweep: Sweep) -> Wanted:
    record = sweep.record
    return Wanted(
        plans=sweep.plans,
        baseline=record.baseline,
        anchors=record.anchors,
        rerun=sweep.rerun,
        folder=sweep.folder,
        revisions=record.revisions,
        pool=sweep.pool,
        failed_limit=record.policy.get("missing_limit", 0.10),
    )


def _without_store(error: TrackingError, sweep: Sweep) -> SweepRecord:
    """The record of a sweep that goes on without its store; raises the error where it may not."""
    if not sweep.tracker or sweep.tracker.required:
        raise error
    record = replace(sweep.record, unrecorded=recording.unrecorded(error, sweep.folder))
    if not record.gathering:
        return record
    missing = baselines.only_recorded(_wanted(sweep))
    if missing:
        raise TrackingError(
            f"{str(error).splitlines()[0]}\n"
            f"  {missing!r}, which is to be compared with, lies only there: start it, add"
            f" agent={missing},…\n  or compare with nothing (baseline=null)."
        ) from error
    pooled = ("earlier runs of these versions, if the store has any, are not pooled",)
    return replace(record, notes=(*record.notes, *(pooled if sweep.pool else ())))
