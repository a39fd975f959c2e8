"""Baselines: what the versions of a sweep are compared with, and where that comes from.

The baseline is named in the configuration, never "the first": a variant of this sweep, a version
that was recorded earlier (`version:<name>`, `latest`, or the variant's name in a single run), or
another revision of the project (`git:main`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vcmp import results, versions, worktree
from vcmp.comparison import check_comparable
from vcmp.errors import ComparisonError, ConfigError, suggest
from vcmp.tracking import MlflowTracker, Sought
from vcmp.types import Evaluation, Plan, Variant

LATEST = "latest"
VERSION = "version:"
REVISION = "git:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The baseline that a sweep asks for."""

    name: str
    """As in the configuration; "" for none."""
    plans: tuple[Plan, ...]
    rerun: tuple[str, ...] = ()
    """Overrides with which another revision is evaluated alike."""


def choose(variants: Sequence[Variant], baseline: str) -> tuple[int, str] | None:
    """Which of `variants` the configured baseline names, and a note when that took a choice.

    A variant's own name comes first; a file's name stands for the variants made from that file,
    and the first of them in the sweep is taken.
    """
    names = [variant.name for variant in variants]
    if baseline in names:
        return names.index(baseline), ""
    made = [number for number, variant in enumerate(variants) if variant.choice == baseline]
    if not made:
        return None
    if len(made) == 1:
        return made[0], ""
    note = f"the first of {len(made)} variants of {baseline!r} in this sweep"
    return made[0], f"{note}; choose another with baseline=NAME"


def check(variants: Sequence[Variant], baseline: str) -> None:
    """Refuse a sweep whose baseline cannot be found, before anything is paid for.

    Raises:
        ConfigError: The name is of no variant, and does not ask for a recorded version.
    """
    elsewhere = baseline == LATEST or baseline.startswith((VERSION, REVISION))
    if not baseline or elsewhere or len(variants) < 2 or choose(variants, baseline):
        return
    names = [variant.name for variant in variants]
    raise ConfigError(
        f"baseline {baseline!r} is not in this sweep, which has "
        f"{', '.join(map(repr, names))}.{suggest(baseline, names)}\n"
        f"  Add it (agent={baseline},…), choose another (baseline=…) or none (baseline=null)."
    )


def fetch(wanted: Wanted, tracker: MlflowTracker | None) -> tuple[Evaluation | None, str]:
    """Get a baseline that is not a version of the sweep itself, before anything is paid for.

    Returns:
        The evaluation, or None when the sweep has its own or there is none; and a note that says
        why nothing is compared, or "".

    Raises:
        ConfigError: A baseline was asked for by version or revision, and is not there.
        ComparisonError: It was made with other cases, scorers or answers.
    """
    name, alone = wanted.name, len(wanted.plans) == 1
    own = choose([plan.version.variant for plan in wanted.plans], name)
    if not name or (own and not alone):  # alone, a variant is compared with its own last recording
        return None, ""
    if name.startswith(REVISION):
        baseline = _evaluate_revision(name.removeprefix(REVISION), wanted.rerun)
        _refuse(baseline, wanted.plans[0])
        return baseline, ""
    return _recorded(name, wanted.plans[0], tracker)


def _recorded(
    name: str, plan: Plan, tracker: MlflowTracker | None
) -> tuple[Evaluation | None, str]:
    """The newest recording that is comparable; else the reason why there is none."""
    if tracker is None:
        return None, _not_recorded(name, tracker)
    sought = _sought(plan.version.app, name)
    alike = replace(
        sought,
        dataset=plan.dataset.digest,
        scripted=plan.answerer.scripted,
        scorers=plan.cards,
    )
    found = tracker.find(alike, lambda folder: _load_comparable(folder, plan))
    if found:
        return found, ""
    other = tracker.find(sought, results.load)
    if other is None:
        return None, _not_recorded(name, tracker)
    if name.startswith(VERSION):
        _refuse(other, plan)
    return None, (
        f"baseline {name!r} was recorded only with other cases, scorers or answers, "
        "so nothing is compared"
    )


def _load_comparable(folder: Path, plan: Plan) -> Evaluation | None:
    evaluation = results.load(folder)
    try:
        _refuse(evaluation, plan)
    except ComparisonError:
        return None
    return evaluation


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


def _evaluate_revision(revision: str, rerun: Sequence[str]) -> Evaluation:
    """What another revision ships, under its own clean name: its tree differs from the commit by
    today's cases and scorers alone, which are no change of the version."""
    with worktree.evaluated(revision, Path.cwd(), rerun) as folder:
        baseline = results.load(folder)
    version = baseline.version
    if version.revision is None:
        raise ConfigError(f"baseline={REVISION}{revision}: git does not say what it is.")
    clean = replace(version.revision, dirty="", branch=revision)
    name = versions.name(version.app, version.variant.name, clean)
    return replace(baseline, version=replace(version, name=name, revision=clean))


def _sought(app: str, name: str) -> Sought:
    if name == LATEST:
        return Sought(app=app, passed=True)
    if name.startswith(VERSION):
        return Sought(app=app, version=name.removeprefix(VERSION))
    return Sought(app=app, variant=name)


def _not_recorded(name: str, tracker: MlflowTracker | None) -> str:
    if name == LATEST or name.startswith(VERSION):
        where = "the tracking store" if tracker else "tracking=none"
        raise ConfigError(
            f"baseline={name}: {where} has no such version. See what it has: vcmp versions"
        )
    return f"baseline {name!r} has not been recorded yet, so nothing is compared"


def describe(name: str, baseline: Evaluation) -> str:
    """How a baseline that lies beside the sweep came there, for screen and report."""
    if name.startswith(REVISION):
        return f"{name}, evaluated from a worktree with today's cases and scorers"
    return f"recorded earlier: {baseline.version.name}"
