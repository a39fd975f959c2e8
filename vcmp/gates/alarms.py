"""The rule for guardrails: what does not have to prove itself, but must not be lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from vcmp.errors import ConfigError
from vcmp.gates.evidence import Lack, difference, paired
from vcmp.gates.findings import answer, interval_of, is_enough, lacking
from vcmp.gates.holm import rejected
from vcmp.gates.policy import Policy
from vcmp.gates.questions import Question, never
from vcmp.gates.relative import (
    MARGIN,
    Direction,
    about_difference,
    natural_direction,
    refuse_statistic,
)
from vcmp.gates.words import signed
from vcmp.statistics import Evidence
from vcmp.statistics.slices import difference_by_tag
from vcmp.types import Comparison, Finding, Loss, Paired

EVERY = "*"
HALF = 0.5
"""Share of alpha for whole metrics where slices are looked at too, so that many tags do not hide
what all cases show."""
By = Literal["tag"]


@dataclass(frozen=True, slots=True)
class NoRegression:
    """No certain loss against the baseline. It fails on one, and passes where none is certain.

    At a planned look before the last it passes only where a loss beyond 0.05 is ruled out: with a
    part of the cases hardly any loss is certain yet.

    Losses are held to Holm's level (1979, "A simple sequentially rejective multiple test
    procedure", Scandinavian Journal of Statistics 6): more scorers, or more slices, do not raise
    more false alarms.

    Args:
        metric: A metric, or `*` for every scorer that both versions have.
        by: `tag` looks at the cases of each tag by themselves, beside all of them.

    Raises:
        ConfigError: The metric is no mean over cases, or `by` is unknown.
    """

    metric: str = EVERY
    by: By | None = None

    def __post_init__(self) -> None:
        refuse_statistic("NoRegression", self.metric)
        if self.by not in (None, "tag"):
            raise ConfigError(f"NoRegression: by {self.by!r} is unknown. Choose tag, or leave out.")

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        every = self.metric == EVERY
        what = "any score" if every else self.metric
        rule = f"no certain loss of {what}{' for any tag' if self.by else ''}"
        losses: list[_Loss] = []
        for metric in _shared_scorers(comparison) if every else [self.metric]:
            pair, whole = paired(comparison, metric, policy), difference(comparison, metric, policy)
            if isinstance(pair, Lack) or isinstance(whole, Lack):
                return lacking(rule, metric, pair if isinstance(pair, Lack) else NOTHING)
            up = natural_direction(comparison, metric) == "higher"
            losses.append(_Loss(metric=metric, tag="", evidence=whole, up=up))
            if self.by:
                losses += _by_tag(pair, metric, up)
        return _alarm(comparison, rule, losses, policy) if losses else lacking(rule, EVERY, NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    """What may have been lost: a metric, over all cases or over those of a tag."""

    metric: str
    tag: str
    evidence: Evidence
    up: bool

    @property
    def name(self) -> str:
        return f"{self.metric} of {self.tag}" if self.tag else self.metric

    @property
    def gain(self) -> float:
        return self.evidence.estimate if self.up else -self.evidence.estimate

    def is_small(self, level: float) -> bool:
        """Whether no more than the usual margin of a score can have been lost."""
        low, high = self.evidence.bounds(level)
        return (low if self.up else -high) > -MARGIN

    def is_certain(self, level: float) -> bool:
        low, high = self.evidence.bounds(level)
        return is_enough(self.evidence) and (high if self.up else -low) < 0

    def told(self, policy: Policy) -> Loss:
        """A certain one, for the reader."""
        low, high = self.evidence.bounds(policy.fail_level)
        beyond = (high if self.up else -low) < -MARGIN
        return Loss(
            metric=self.metric,
            tag=self.tag,
            kind="critical" if beyond else "loss",
            observed=f"{self.name} {signed(self.evidence.estimate)}",
            estimate=self.evidence.estimate,
            interval=interval_of(self.evidence),
        )


NOTHING = Lack(
    outcome="invalid",
    observed="the versions have no scorer in common",
    advice="Evaluate both with the same scorers.",
)


def _by_tag(pair: Paired, metric: str, up: bool) -> list[_Loss]:
    return [
        _Loss(metric=metric, tag=tag, evidence=evidence, up=up)
        for tag, evidence in difference_by_tag(pair).items()
    ]


def _shared_scorers(comparison: Comparison) -> list[str]:
    return sorted(set(comparison.baseline.scorers) & set(comparison.candidate.scorers))


def _alarm(comparison: Comparison, rule: str, losses: Sequence[_Loss], policy: Policy) -> Finding:
    """The finding about the largest loss, among the certain ones if there are any."""

    def is_certain(number: int, share: float) -> bool:
        return losses[number].is_certain(policy.sharing(fails=share).fail_level)

    def among(numbers: Iterable[int], share: float) -> dict[int, float]:
        return rejected({number: partial(is_certain, number) for number in numbers}, share)

    whole = [number for number, each in enumerate(losses) if not each.tag]
    slices = [n for n, each in enumerate(losses) if each.tag and is_enough(each.evidence)]
    half = HALF if slices else 1.0
    lost = among(whole, half) | among(slices, 1 - half)
    worst = min(lost or [*whole, *slices], key=lambda number: losses[number].gain)
    question = _about(comparison, rule, losses[worst], [losses[n] for n in lost if n != worst])
    share = lost.get(worst, 1 / len(losses))
    finding = answer(question, losses[worst].evidence, policy.sharing(fails=share))
    if lost:
        places = sorted(lost, key=lambda number: losses[number].gain)
        told = [losses[n].told(policy.sharing(fails=lost[n])) for n in places]
        return replace(finding, losses=tuple(told))
    if not all(is_enough(each.evidence) for each in losses if not each.tag):
        return finding
    if policy.early and not all(each.is_small(policy.pass_level) for each in losses):
        return replace(finding, outcome="inconclusive", alert="")
    return replace(finding, outcome="pass", advice="", needed_cases=None, alert="")


def _about(comparison: Comparison, rule: str, loss: _Loss, others: Sequence[_Loss]) -> Question:
    direction: Direction = "higher" if loss.up else "lower"
    question = about_difference(comparison, loss.metric, rule, direction, margin=0.0)
    also = f" Lost as well: {', '.join(other.name for other in others)}." if others else ""
    # the two means that the question tells are those of all cases
    describe = question.describe if not loss.tag else signed
    return replace(
        question,
        proves=never,
        describe=lambda value: f"{loss.name} {describe(value)}",
        needs="",
        if_failed=question.if_failed + also,
        rollout=None,
    )
