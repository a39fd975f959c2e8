"""A baseline from elsewhere: from the store, or evaluated in a worktree."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vcmp import results
from vcmp.baselines.names import ANCHOR, PASSED, REVISION, VERSION, Asked, Wanted
from vcmp.baselines.recordings import Pool, Recording, all_runs, is_same, narrow, read, sound
from vcmp.baselines.revisions import evaluate_revision
from vcmp.comparison import check_comparable
from vcmp.errors import ComparisonError, ConfigError
from vcmp.tracking import Found, MlflowTracker, Sought
from vcmp.types import Evaluation, Plan


def fetch(asked: Asked, wanted: Wanted, tracker: MlflowTracker | None) -> Pool:
    """Get a baseline that is not a version of the sweep itself, before anything is paid for.

    Returns:
        Its evaluations; none, and a note that says why, when nothing can be compared with it.

    Raises:
        ConfigError: A baseline was asked for by version or revision, and is not there.
        ComparisonError: It was made with other cases, scorers or answers.
    """
    if asked.name.startswith(REVISION):
        baseline = evaluate_revision(asked, wanted)
        _refuse(baseline, wanted.plans[0])
        return Pool(evaluations=(baseline,))
    if tracker is None:
        return _not_recorded(asked, tracker)
    return _recorded(asked, wanted, tracker)


def _recorded(asked: Asked, wanted: Wanted, tracker: MlflowTracker) -> Pool:
    """The newest version of which there are comparable recordings; else why there is none.

    A run of the sweep's own versions is no baseline for them, but for one that was asked for by
    its name: the next run of a version that passed is to be compared as the first was.
    """
    plan = wanted.plans[0]
    sought = _sought(asked, plan.version.app, tracker)
    named = sought.version != ""

    def read_other(found: Found) -> Recording | None:
        recording = read(found)
        version = recording.evaluation.version
        own = any(is_same(version, each.version) for each in wanted.plans)
        return None if own and not named else recording

    def read_comparable(found: Found) -> Recording | None:
        recording = read_other(found)
        return recording if recording and _is_comparable(recording.evaluation, plan) else None

    found = tracker.find(narrow(sought, plan), read_comparable)
    if found:
        return _pool(found, asked, wanted, tracker)
    other = tracker.find(sought, read_other)
    if other and named:
        _refuse(other.evaluation, plan)
    if other:
        return _none(f"{asked} was recorded only with other cases, scorers or answers", asked)
    if not named and tracker.find(sought, read) is not None:
        return _none(f"{asked}: nothing but this version itself is recorded", asked)
    return _not_recorded(asked, tracker)


def _pool(newest: Recording, asked: Asked, wanted: Wanted, tracker: MlflowTracker) -> Pool:
    """All runs of the version; of the newest alone when no other may be used."""
    runs: Sequence[Recording] = all_runs(newest, tracker) if wanted.pool else ()
    kept, left = sound(runs, wanted)
    kept, left = (kept, left) if kept else ([newest], [])
    pool = Pool(evaluations=tuple(each.evaluation for each in kept))
    version = newest.evaluation.version
    notes = [f"{asked.role} {version.variant.name}: {reason}" for reason in left]
    notes += _unasked(asked, pool)
    if len(kept) > 1:
        notes.append(
            f"{asked.role} {version.variant.name}: {len(kept)} recorded runs of the version are"
            f" pooled ({pool.repeats} repeats in all); pool=false takes the newest alone"
        )
    if kept[0].best_of:
        notes.append(
            f"{asked.role} {version.name} was the best of {kept[0].best_of} when it was recorded,"
            " so its scores are biased upward; evaluate it afresh (add it to agent=…) for a fair"
            " comparison"
        )
    return replace(pool, notes=tuple(notes))


def _unasked(asked: Asked, pool: Pool) -> Iterator[str]:
    """A note where some cases are in none of the evaluations."""
    own, *earlier = pool.evaluations
    n, n_cases = len(results.pool(own, earlier).cases), len(own.dataset.cases)
    if n < n_cases:
        yield (
            f"{asked.role} {own.version.variant.name} was evaluated on {n} of {n_cases} cases:"
            " a planned look ended it; differences are over the cases that both have"
        )


def _sought(asked: Asked, app: str, tracker: MlflowTracker) -> Sought:
    if asked.name in PASSED:
        return Sought(app=app, passed=True)
    if asked.name.startswith(VERSION):
        return Sought(app=app, version=asked.name.removeprefix(VERSION))
    if asked.name != ANCHOR:
        return Sought(app=app, variant=asked.name)
    pinned = tracker.anchor(app)
    if pinned is None:
        raise ConfigError(
            f"{asked.where}: no version of {app!r} is pinned. Pin one: vcmp versions pin NAME"
        )
    return Sought(app=app, version=pinned.model_id)


def _not_recorded(asked: Asked, tracker: MlflowTracker | None) -> Pool:
    where = "the tracking store" if tracker else "tracking=none"
    if asked.name in PASSED and tracker:
        raise ConfigError(
            f"{asked.where}: no version of the tracking store has passed yet.\n"
            "  See which there are (vcmp versions), and name one: version:NAME"
        )
    if asked.name in (*PASSED, ANCHOR) or asked.name.startswith(VERSION):
        raise ConfigError(
            f"{asked.where}: {where} has no such version. See what it has: vcmp versions"
        )
    return _none(f"{asked} has not been recorded yet", asked)


def _none(reason: str, asked: Asked) -> Pool:
    return Pool(notes=(f"{reason}, {asked.nothing}",))


def _is_comparable(evaluation: Evaluation, plan: Plan) -> bool:
    try:
        _refuse(evaluation, plan)
    except ComparisonError:
        return False
    return True


def _refuse(baseline: Evaluation, plan: Plan) -> None:
    """Raise a `ComparisonError` when the plan's outcome cannot be compared with the baseline."""
    check_comparable(baseline, plan)
    before, now = baseline.answerer, plan.answerer
    if before.scripted != now.scripted:
        raise ComparisonError(
            f"not comparable: {baseline.version.name} was answered by {before.name!r}, this sweep "
            f"is by {now.name!r}, and one of them is a demo that calls no language model.\n"
            "  Evaluate both versions with the same provider=…"
        )
