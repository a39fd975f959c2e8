"""What a sweep is judged with and need not be run: from the store, or said to be missing."""

from dataclasses import replace

from vcmp import baselines, recording
from vcmp.baselines import Wanted
from vcmp.errors import TrackingError
from vcmp.pipeline.sweeps import Sweep
from vcmp.results import SweepRecord
from vcmp.tracking import MlflowTracker


def gather(sweep: Sweep) -> SweepRecord:
    """Put what the sweep is judged with, and has not to be run, beside its files."""
    try:
        if sweep.tracker:
            sweep.tracker.prepare()
        return _fetch(sweep, sweep.record, sweep.tracker)
    except TrackingError as error:
        return _fetch(sweep, _without_store(error, sweep), None)


def _fetch(sweep: Sweep, record: SweepRecord, tracker: MlflowTracker | None) -> SweepRecord:
    if sweep.known:
        return record  # what an earlier run of the sweep gathered is what this one is judged with
    gathered = baselines.gather(_wanted(sweep), tracker)
    return replace(
        record,
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
        pool=sweep.pool,
        failed_limit=record.policy.get("missing_limit", 0.10),
    )


def _without_store(error: TrackingError, sweep: Sweep) -> SweepRecord:
    """The record of a sweep that goes on without its store; raises the error where it may not."""
    if not sweep.tracker or sweep.tracker.required:
        raise error
    record = replace(sweep.record, unrecorded=recording.unrecorded(error, sweep.folder))
    if sweep.known:
        return record
    missing = baselines.only_recorded(_wanted(sweep))
    if missing:
        raise TrackingError(
            f"{str(error).splitlines()[0]}\n"
            f"  {missing!r}, which is to be compared with, lies only there: start it, add"
            f" agent={missing},…\n  or compare with nothing (baseline=null)."
        ) from error
    pooled = ("earlier runs of these versions lie in the store, and are not pooled",)
    return replace(record, notes=(*record.notes, *(pooled if sweep.pool else ())))
