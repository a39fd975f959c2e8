"""What the tracking store knows of a baseline that is going to be compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from vcmp import baselines, results
from vcmp.baselines.names import ANCHOR, PASSED, REVISION, VERSION
from vcmp.baselines.recordings import Recording, all_runs, narrow, read
from vcmp.errors import TrackingError
from vcmp.tracking import MlflowTracker, Sought
from vcmp.types import Evaluation, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the baseline's scores."""

    evaluation: Evaluation | None = None
    """All recorded runs of its newest version, as one."""
    note: str = ""
    """Why there is none."""


def recall(plans: Sequence[Plan], baseline: str, tracker: MlflowTracker | None) -> Known:
    """The newest recorded version of the baseline that was evaluated on the same cases, by the same
    scorers and a like answerer, pooled over its runs.

    Args:
        baseline: As in the configuration; "" is the version itself.
    """
    place, name = _who(plans, baseline)
    if tracker is None:
        return Known(note=f"tracking=none: no earlier run of {name} is known")
    sought = _sought(plans[place], baseline, name, tracker)
    try:
        newest = tracker.find(narrow(sought, plans[place]), read) if sought else None
        runs = all_runs(newest, tracker) if newest else ()
    except TrackingError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        return Known(note=f"the tracking store cannot be read ({reason})")
    if newest is None:
        return Known(note=f"no comparable run of {name} is recorded")
    known = _pooled(runs or (newest,))
    if len(known.cases) < len(known.dataset.cases):
        return Known(note=f"a planned look ended the recorded run of {name}")
    return Known(evaluation=known)


def _pooled(runs: Sequence[Recording]) -> Evaluation:
    own, *earlier = (recording.evaluation for recording in runs)
    return results.pool(own, earlier)


def _who(plans: Sequence[Plan], baseline: str) -> tuple[int, str]:
    """The plan that is most like the baseline, and what to call it."""
    chosen = baselines.choose([plan.version.variant for plan in plans], baseline)
    if chosen:
        return chosen[0], plans[chosen[0]].version.variant.name
    return 0, baseline or plans[0].version.variant.name


def _sought(plan: Plan, baseline: str, name: str, tracker: MlflowTracker) -> Sought | None:
    app = plan.version.app
    if baseline in PASSED:
        return Sought(app=app, passed=True)
    if baseline.startswith(VERSION):
        return Sought(app=app, version=baseline.removeprefix(VERSION))
    if baseline == ANCHOR:
        pinned = tracker.anchor(app)
        return Sought(app=app, version=pinned.model_id) if pinned else None
    if baseline.startswith(REVISION):
        return Sought(app=app, variant=plan.version.variant.name)
    return Sought(app=app, variant=name)
