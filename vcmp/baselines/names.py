"""The names of baselines: a variant of the sweep, or where else to look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vcmp.errors import ConfigError, suggest
from vcmp.types import Evaluation, Plan, Variant

LATEST = "latest"
PREVIOUS = "previous"
ANCHOR = "anchor"
VERSION = "version:"
REVISION = "git:"
PASSED = (LATEST, PREVIOUS)
"""Names of the newest recorded version that passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a sweep asks for beside its own evaluations."""

    plans: tuple[Plan, ...]
    baseline: str = ""
    """As in the configuration; "" for none."""
    anchors: tuple[str, ...] = ()
    """Further baselines."""
    rerun: tuple[str, ...] = ()
    """Overrides with which another revision is evaluated alike."""
    folder: Path = Path()
    """Of the sweep, where the files of a revision go while it is evaluated."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """By name, the commits of all baselines that are revisions."""
    pool: bool = True
    """Whether a run adds to the earlier ones of its version."""
    failed_limit: float = 0.10
    """An earlier run is left out when a larger share of its results failed, in [0, 1]."""

    @property
    def variants(self) -> list[Variant]:
        """Of the plans, in their order."""
        return [plan.version.variant for plan in self.plans]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One baseline that is asked for."""

    name: str
    role: str = "baseline"
    """Or `anchor`, for a further one."""

    @property
    def where(self) -> str:
        """As errors name it."""
        key = "baseline=" if self.role == "baseline" else "baselines: "
        return f"{key}{self.name}"

    @property
    def nothing(self) -> str:
        """What follows when it is not there."""
        return f"so nothing is compared{' with it' if self.role == 'anchor' else ''}"

    def __str__(self) -> str:
        return f"{self.role} {self.name!r}"


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


def check(variants: Sequence[Variant], baseline: str, anchors: Sequence[str] = ()) -> None:
    """Refuse a sweep whose baselines cannot be found, before anything is paid for.

    Raises:
        ConfigError: A name is of no variant, and does not ask for a recorded version; or the same
            name is given twice.
    """
    names = [variant.name for variant in variants]
    for name in _unknown(variants, [baseline]):
        raise ConfigError(
            f"baseline {name!r} is not in this sweep, which has "
            f"{', '.join(map(repr, names))}.{suggest(name, names)}\n"
            f"  Add it (agent={name},…), choose another (baseline=…) or none (baseline=null)."
        )
    for name in _unknown(variants, anchors):
        raise ConfigError(
            f"baselines: {name!r} is not in this sweep, which has "
            f"{', '.join(map(repr, names))}.{suggest(name, [*names, PREVIOUS, ANCHOR])}\n"
            f"  Add it (agent={name},…), or take it out of baselines=[…]."
        )
    for name in anchors:
        if [baseline, *anchors].count(name) > 1:
            raise ConfigError(f"baselines: {name!r} is asked for twice. Name each only once.")


def _unknown(variants: Sequence[Variant], names: Sequence[str]) -> Iterator[str]:
    """Of a sweep's baselines those that are nowhere; a single run's may be in the store."""
    for name in names:
        elsewhere = name in (*PASSED, ANCHOR) or name.startswith((VERSION, REVISION))
        if name and not elsewhere and len(variants) > 1 and not choose(variants, name):
            yield name


def only_recorded(wanted: Wanted) -> str:
    """The first baseline or anchor that nothing but the store can have; "" when there is none."""
    variants = wanted.variants
    for name in filter(None, (wanted.baseline, *wanted.anchors)):
        own = len(variants) > 1 and choose(variants, name) is not None
        if not own and not name.startswith(REVISION):
            return name
    return ""


def describe(name: str, baseline: Evaluation) -> str:
    """How a baseline that lies beside the sweep came there, for screen and report."""
    if name.startswith(REVISION):
        return f"{name}, evaluated from a worktree with today's cases and scorers"
    return f"recorded earlier: {baseline.version.name}"
