"""Recorded evaluations: which of them are of one version, and which of them count."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from vcmp import results
from vcmp.baselines.names import Wanted
from vcmp.digests import digest_of
from vcmp.tracking import Found, MlflowTracker, Sought
from vcmp.types import Evaluation, Plan, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An evaluation as it was recorded."""

    evaluation: Evaluation
    best_of: int = 0
    """Candidates among which it was the best, when it won a selection; else 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Evaluations of one version, newest first, and what a reader has to know of them."""

    evaluations: tuple[Evaluation, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def repeats(self) -> int:
        """Of all of them together; of the cases after a planned look that ended one, fewer."""
        return sum(evaluation.repeats for evaluation in self.evaluations)


def read(found: Found) -> Recording:
    """What the store has found."""
    return Recording(evaluation=results.load(found.folder), best_of=found.best_of)


def is_same(one: Version, other: Version) -> bool:
    """Whether it is the same code and configuration; nobody knows outside of git."""
    return None not in (one.revision, other.revision) and _identity(one) == _identity(other)


def earlier_runs(plan: Plan, tracker: MlflowTracker) -> tuple[Recording, ...]:
    """What has been recorded of the plan's own version on its dataset, by its yardstick."""
    return _alike(plan, tracker) if plan.version.revision else ()


def all_runs(recording: Recording, tracker: MlflowTracker) -> tuple[Recording, ...]:
    """The recording and all others of its version, dataset and yardstick, newest first."""
    if recording.evaluation.version.revision is None:
        return (recording,)
    return _alike(recording.evaluation, tracker)


def _alike(made: Evaluation | Plan, tracker: MlflowTracker) -> tuple[Recording, ...]:
    wanted = _key(made)

    def read_alike(found: Found) -> Recording | None:
        recording = read(found)
        return recording if _key(recording.evaluation) == wanted else None

    sought = Sought(app=made.version.app, version=made.version.name)
    return tracker.find_all(narrow(sought, made), read_alike)


def narrow(sought: Sought, made: Evaluation | Plan) -> Sought:
    """Only what was evaluated on the same cases, by the same scorers and a like answerer."""
    return replace(
        sought,
        dataset=made.dataset.digest,
        scripted=made.answerer.scripted,
        scorers=made.cards if isinstance(made, Plan) else made.scorers,
    )


def _key(made: Evaluation | Plan) -> str:
    """Digest of all that two runs must share for their results to be repeats of each other."""
    cards = made.cards if isinstance(made, Plan) else made.scorers
    scorers = {name: asdict(card) for name, card in cards.items()}
    return digest_of([_identity(made.version), made.dataset.digest, scorers, asdict(made.answerer)])


def _identity(version: Version) -> str:
    revision = version.revision
    where = [revision.commit, revision.dirty] if revision else []
    return digest_of([version.name, version.variant.params, where])


def sound(
    recordings: Sequence[Recording], wanted: Wanted, best_of: int = 0
) -> tuple[list[Recording], list[str]]:
    """The recordings that may be pooled, and why others may not.

    Args:
        recordings: Of one version.
        wanted: Says how many results may have failed.
        best_of: A recording that won a selection among more candidates than this is left out: what
            won by luck is not what the version is like.
    """
    failed = [each for each in recordings if _failed(each) > wanted.failed_limit]
    biased = [each for each in recordings if each.best_of > best_of and each not in failed]
    kept = [each for each in recordings if each not in failed and each not in biased]
    reasons = []
    if failed:
        share = f"{wanted.failed_limit * 100:g} %"
        reasons.append(f"{_count(failed)} left out: more than {share} of the results failed")
    if biased:
        among = " and ".join(str(n) for n in sorted({each.best_of for each in biased}))
        reasons.append(
            f"{_count(biased)} left out: the best of {among} then, so its scores are biased upward"
        )
    return kept, reasons


def _failed(recording: Recording) -> float:
    """Share of its results that failed, in [0, 1]."""
    rows = recording.evaluation.results
    return sum(bool(row.error) for row in rows) / max(len(rows), 1)


def _count(runs: Sequence[Recording]) -> str:
    return f"{len(runs)} earlier run{'s' if len(runs) > 1 else ''}"
