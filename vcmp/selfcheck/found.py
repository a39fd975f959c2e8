"""What came of a version's comparisons with itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vcmp.types import Interval

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of the splits, and what their share would be of all splits there are."""

    n: int
    of: int
    interval: Interval
    """95 %, by Wilson's formula, as if the splits were independent. They are not: they deal out the
    same runs, so of other runs of the same version the share may differ by more."""

    @property
    def value(self) -> float:
        """In [0, 1]."""
        return self.n / self.of


@dataclass(frozen=True, slots=True, kw_only=True)
class Flakiness:
    """How a scorer's values differ between repeats of one version."""

    scorer: str
    n: int
    """Cases whose score is not the same in every repeat."""
    n_cases: int
    """Cases that were scored at least twice."""
    worst: tuple[tuple[str, float, float], ...]
    """The cases that vary most: id, lowest and highest score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often one rule failed without cause."""

    rule: str
    n: int
    by_point: bool
    """Whether it decides on the numbers as seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """What came of a version's comparisons with itself."""

    version: str
    variant: str
    gate: str
    alpha: float
    n_cases: int
    n_clusters: int
    repeats: int
    """All there are; a half has half of them, rounded down."""
    outcomes: Mapping[str, Share]
    """By outcome."""
    alerts: Share
    """Splits with a certain loss, whether or not the gate passed."""
    false_alarms: Share
    """Splits that failed without cause, or alerted."""
    false_gains: Share | None
    """Splits in which one half was better than the other for a Superiority rule; None without
    one."""
    rules: tuple[Rate, ...]
    """The rules that failed or alerted without cause, most often first."""
    lost: tuple[str, ...]
    """Rules that the whole of the version's runs fails: that is no false alarm."""
    flakiness: tuple[Flakiness, ...] = ()
    skipped: tuple[str, ...] = ()
    """Metrics that these runs have no value of; the rules about them were not asked."""
    unjudged: str = ""
    """Why a split could not be judged."""

    @property
    def is_alarming(self) -> bool:
        """Whether the gate certainly raises more false alarms than alpha, or finds more gains."""
        shares = [self.false_alarms, *([self.false_gains] if self.false_gains else [])]
        return any(share.interval.low > self.alpha for share in shares)

    @property
    def is_still(self) -> bool:
        """Whether every repeat of every case scored the same."""
        return not any(each.n for each in self.flakiness)


def document(found: SelfCheck) -> dict[str, Any]:
    """What selfcheck.json holds."""
    shares: dict[str, Share] = {
        **found.outcomes,
        "alert": found.alerts,
        "false_alarm": found.false_alarms,
    }
    if found.false_gains:
        shares["false_gain"] = found.false_gains
    return {
        "schema": SCHEMA,
        "version": found.version,
        "gate": found.gate,
        "alpha": found.alpha,
        "cases": found.n_cases,
        "clusters": found.n_clusters,
        "repeats": found.repeats,
        "splits": found.false_alarms.of,
        "shares": {
            name: {
                "n": share.n,
                "share": share.value,
                "ci95": [share.interval.low, share.interval.high],
            }
            for name, share in shares.items()
        },
        "above_alpha": found.is_alarming,
        "false_alarms": {each.rule: each.n for each in found.rules},
        "fails_as_a_whole": list(found.lost),
        "not_asked": list(found.skipped),
        "flakiness": {
            each.scorer: {
                "differ": each.n,
                "of": each.n_cases,
                "worst": [{"case": c, "low": low, "high": high} for c, low, high in each.worst],
            }
            for each in found.flakiness
        },
    }
