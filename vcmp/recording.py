"""A concluded sweep in the tracking store: at its end, or later, from its files.

The verdict comes from the files, so it stands whatever the store does. A sweep that the store did
not take says so in its files and reports, and `vcmp sync` records it as it would have been.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from vcmp import results
from vcmp.conclusions import REPORT_FILES, conclude_folder, write_reports
from vcmp.errors import ResultsError, TrackingError
from vcmp.gates import Policy
from vcmp.tracking import BEST_OF, MlflowTracker, Recorded
from vcmp.types import Conclusion, Evaluation


def record(
    conclusion: Conclusion, folder: Path, policy: Policy, tracker: MlflowTracker | None
) -> str:
    """Record a sweep that has just been concluded, and keep a note in its files when that fails.

    Returns:
        The note, for the screen; "" when the sweep is recorded, is not to be, or began without a
        store and has said so.
    """
    if tracker is None or results.load_record(folder).unrecorded:
        return ""
    try:
        with _alone(folder):
            _record(conclusion, folder, tracker)
    except TrackingError as error:
        note = unrecorded(error, folder)
        with suppress(OSError):  # a full disk, which may be why, has no room for the note either
            _conclude(folder, policy, note)
        return note
    return ""


def unrecorded(error: TrackingError, folder: Path) -> str:
    """The note for a sweep that the store did not take."""
    reason = str(error).splitlines()[0].rstrip(".")
    return f"not recorded: {reason}; record later: vcmp sync {os.path.relpath(folder)}"


def sync(folder: Path, policy: Policy, tracker: MlflowTracker) -> tuple[Recorded, ...]:
    """Record a finished sweep from its files, with the reports and the verdict of its own gate.

    Returns:
        Where each of its evaluations is recorded; none when all of it was there before.

    Raises:
        TrackingError: The store failed; it can be tried again.
        ResultsError: Files are missing or damaged, or the sweep did not end.
    """
    own = _own(folder)
    with _alone(folder):
        done = all(tracker.has(evaluation) for evaluation in own)
        if done and not results.load_record(folder).unrecorded:
            return ()
        conclusion = _conclude(folder, policy, "")
        if done:
            return ()
        try:
            return _record(conclusion, folder, tracker)
        except TrackingError as error:
            _conclude(folder, policy, unrecorded(error, folder))
            raise


def _own(folder: Path) -> list[Evaluation]:
    """The sweep's own evaluations.

    Raises:
        ResultsError: One was interrupted.
    """
    record = results.load_record(folder)
    results.load_sweep(folder, record)
    own = [results.load(folder / job) for job in record.jobs]
    for evaluation in own:
        if not evaluation.complete and not evaluation.stopped:
            raise ResultsError(
                f"{folder}: has {len(evaluation.results)} of {evaluation.n_asked} results of"
                f" {evaluation.version.name}; a sweep is recorded when it has ended.\n"
                f"  Go on with it: vcmp resume {folder}"
            )
    return own


def _conclude(folder: Path, policy: Policy, note: str) -> Conclusion:
    """Put a note, or none, into the sweep's files, conclude them again and write the reports."""
    record = replace(results.load_record(folder), unrecorded=note)
    results.save_record(record, folder)
    conclusion = conclude_folder(folder, policy)
    write_reports(conclusion, folder, **record.report)
    return conclusion


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time records a sweep: two would begin two runs.

    Raises:
        TrackingError: Another one is at it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise TrackingError(
            f"{folder}: another process is recording this sweep. Wait for it, and try again."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _record(conclusion: Conclusion, folder: Path, tracker: MlflowTracker) -> tuple[Recorded, ...]:
    """Record every evaluation of a sweep, its reports and verdict.

    What is recorded is what lies in the files, where no secret is.
    """
    reports = [folder / name for name in REPORT_FILES]
    recorded = []
    for job in results.load_record(folder).jobs:
        done = results.load(folder / job)
        tags = _tags(conclusion, done)
        recorded.append(tracker.record(done, folder / job, reports, tags))
    return tuple(recorded)


def _tags(conclusion: Conclusion, evaluation: Evaluation) -> dict[str, str]:
    """What the sweep found about one of its versions."""
    # where no rule was asked nothing has passed
    outcomes = {v.candidate: v.outcome for v in conclusion.verdicts if v.findings}
    version = evaluation.version
    outcome = outcomes.get(version.name)
    tags: dict[str, str] = {"vcmp.verdict": outcome} if outcome else {}
    if version.name == conclusion.baseline:
        tags["vcmp.role"] = "baseline"
    n_candidates = len(conclusion.comparisons)
    if n_candidates > 1 and version.variant.name == conclusion.best:
        tags[BEST_OF] = str(n_candidates)
    return tags
