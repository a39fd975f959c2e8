"""Losses: all that a verdict alerts to, whether or not a rule fails for it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vcmp.gates.evidence import mean_of
from vcmp.gates.names import named
from vcmp.gates.policy import Policy
from vcmp.gates.words import signed
from vcmp.types import Comparison, Finding, Loss, LossKind

GRAVEST: tuple[LossKind, ...] = ("critical", "loss", "unwatched")


def losses(comparison: Comparison, findings: Sequence[Finding], policy: Policy) -> tuple[Loss, ...]:
    """Certain losses that findings tell, and scores that fell without a rule being about them."""
    found = [
        replace(loss, rule=finding.rule, against=finding.against)
        for finding in findings
        for loss in losses_of(finding)
    ]
    metrics = (*(f.metric for f in findings), *(loss.metric for loss in found))
    about = set(map(mean_of, (*metrics, *named(policy.rules))))
    found += sorted(_unwatched(comparison, about), key=lambda loss: (loss.estimate, loss.metric))
    return tuple(sorted(found, key=lambda loss: GRAVEST.index(loss.kind)))


def losses_of(finding: Finding) -> tuple[Loss, ...]:
    """The losses behind a finding's alert; where it lists none, the one that it is about."""
    if finding.losses or not finding.alert:
        return finding.losses
    return (
        Loss(
            metric=finding.metric,
            kind=finding.alert,
            observed=finding.observed.partition(", ")[0],
            estimate=finding.estimate,
            interval=finding.interval,
        ),
    )


def _unwatched(comparison: Comparison, about: set[str]) -> Iterator[Loss]:
    """Scores that fell, by their intervals, and that no rule is about: no gate hides them."""
    for metric, delta in comparison.deltas.items():
        if delta.score and delta.interval.high < 0 and metric not in about:
            yield Loss(
                metric=metric,
                kind="unwatched",
                observed=signed(delta.difference),
                estimate=delta.difference,
                interval=delta.interval,
            )
