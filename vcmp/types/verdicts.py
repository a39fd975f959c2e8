"""What follows from a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vcmp.types.comparisons import Comparison, Interval
from vcmp.types.evaluations import Evaluation

Outcome = Literal["pass", "fail", "inconclusive", "invalid"]
Alert = Literal["", "loss", "critical"]
"""A loss against the baseline that is certain among all that were looked for; critical when it is
certain to be beyond the margin, too."""
LossKind = Literal["critical", "loss", "unwatched"]
"""The two of an alert, or `unwatched`: its 95 % interval lies below 0, and no rule is about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a candidate is worse in than a baseline."""

    metric: str
    kind: LossKind
    observed: str
    """What was seen, in words: `−0.117 (1.000 → 0.883)`."""
    estimate: float | None
    """In the unit of the metric, or the ratio that a rule looked at."""
    interval: Interval | None
    """95 %."""
    tag: str = ""
    """The tag whose cases have it; "" for all cases."""
    rule: str = ""
    """The rule that found it, as its finding tells it; "" for an unwatched one."""
    against: str = ""
    """As in `Finding`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule's answer."""

    rule: str
    """What was wanted, in words: `support_guidelines >= 0.80`."""
    metric: str
    outcome: Outcome
    observed: str
    """What was seen, in words, with n and interval."""
    advice: str = ""
    """What would settle or mend it; "" for a pass."""
    estimate: float | None = None
    """The number the rule looked at; None when there was none."""
    interval: Interval | None = None
    n: int = 0
    """Cases."""
    alert: Alert = ""
    """A certain loss, even where the rule passes."""
    losses: tuple[Loss, ...] = ()
    """Those behind the alert, where it is about more than this finding's metric and estimate."""
    needed_cases: int | None = None
    """Of an inconclusive finding: cases that would decide with a chance of 80 %; None where none
    would."""
    if_unchanged: bool = False
    """Whether these would decide if nothing changed, instead of if it goes on like this."""
    needed_repeats: int | None = None
    """Repeats of the same cases that would do as well; None where none would, or nobody knows."""
    visible_loss: float | None = None
    """The smallest loss that this many cases show with a chance of 80 %."""
    rollout: float | None = None
    """Share of the users that this finding alone would give the candidate; None when it says
    nothing about a difference."""
    against: str = ""
    """Name of the version compared with, where it is not the baseline but a further one."""
    report_only: bool = False
    """Whether this is told and does not count: it neither proves nor blocks."""


def counted(findings: Sequence[Finding]) -> list[Finding]:
    """Those that count in a verdict; all where none does."""
    return [finding for finding in findings if not finding.report_only] or list(findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All findings about one candidate, and what follows from them."""

    candidate: str
    """Name of the version."""
    variant: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    reason: str
    """The finding that decided, in a sentence."""
    rollout: float = 0.0
    """Share of the users who should get the candidate first, in [0, 1]; 0 unless it passed."""
    alert: Alert = ""
    """The gravest alert of the findings."""
    losses: tuple[Loss, ...] = ()
    """All that a reader is alerted to, the gravest first: those of the findings, and those that no
    rule is about."""
    look: int = 0
    """The planned look at which this was decided, from 1; 0 when all cases were looked at once."""
    n_cases: int = 0
    """Cases that were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Everything that can be said about a sweep: what the report shows and the exit code tells."""

    evaluations: tuple[Evaluation, ...]
    """All of them; the baseline first, when there is one."""
    baseline: str = ""
    """Name of the baseline version; "" when nothing was compared."""
    baseline_note: str = ""
    """How the baseline was chosen, when it was not named outright."""
    comparisons: tuple[Comparison, ...] = ()
    """One for each candidate, best first."""
    verdicts: tuple[Verdict, ...] = ()
    """In the order of `comparisons`."""
    outcome: Outcome = "pass"
    best: str = ""
    """Variant name of the best candidate that passed; "" when none did. It ships if `outcome` is a
    pass."""
    gate: str = ""
    """Name of the gate policy."""
    looks: int = 1
    """Planned looks of the policy."""
    n_cases: int = 0
    """Cases of the dataset, where a planned look decided on fewer; else 0."""
    digest: str = ""
    """Of the whole dataset, likewise; else ""."""
    anchors: tuple[str, ...] = ()
    """Names of further versions that the candidates were compared with."""
    command: str = ""
    """The command line that repeats the sweep."""
    stopped: str = ""
    """Why the evaluation ended before its time: "budget: …", "provider: …"; nothing passes then."""
    notes: tuple[str, ...] = ()
    """What a reader has to know: an interrupted evaluation, a version outside git."""
