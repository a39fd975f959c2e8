"""Rules made of rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vcmp.errors import ConfigError
from vcmp.gates.hearing import hear, needs_baseline
from vcmp.gates.losses import losses_of
from vcmp.gates.policy import Policy, Rule
from vcmp.types import Comparison, Finding, Outcome, counted


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the rules holds; it is one rule of the policy, so they fail together.

    Raises:
        ConfigError: There is no rule.
    """

    rules: Sequence[Rule]

    def __post_init__(self) -> None:
        _refuse_none("AllOf", self.rules)

    @property
    def needs_baseline(self) -> bool:
        """Whether any of the rules looks at the baseline."""
        return any(map(needs_baseline, self.rules))

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        order: tuple[Outcome, ...] = ("invalid", "fail", "inconclusive", "pass")
        return _joined("all of", hear(self.rules, comparison, policy), order)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the rules holds. Each may pass by chance, so they share alpha by Holm's
    steps; it fails when all of them do.

    Raises:
        ConfigError: There is no rule.
    """

    rules: Sequence[Rule]

    def __post_init__(self) -> None:
        _refuse_none("AnyOf", self.rules)

    @property
    def needs_baseline(self) -> bool:
        """Whether any of the rules looks at the baseline."""
        return any(map(needs_baseline, self.rules))

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        order: tuple[Outcome, ...] = ("pass", "inconclusive", "invalid", "fail")
        share = 1 / len(self.rules)
        strict = policy.sharing(passes=share, fails=share)
        return _joined("any of", [rule(comparison, strict) for rule in self.rules], order)


def _refuse_none(name: str, rules: Any) -> None:
    if not isinstance(rules, list | tuple) or not rules:
        raise ConfigError(f"{name}: has no rules. List them: rules: [{{_target_: …}}, …]")
    for rule in rules:
        if not callable(rule):
            raise ConfigError(f"{name}: {rule!r} is no rule. Give each a _target_.")


def _joined(name: str, findings: Sequence[Finding], order: tuple[Outcome, ...]) -> Finding:
    """The finding that decides, told beside the others."""
    first = min(counted(findings), key=lambda finding: order.index(finding.outcome))
    alerts = [finding.alert for finding in findings]
    rollouts = [finding.rollout for finding in findings if finding.rollout is not None]
    return replace(
        first,
        rule=f"{name} ({'; '.join(finding.rule for finding in findings)})",
        observed=f"{first.rule}: {first.observed}",
        alert=max(alerts, key=("", "loss", "critical").index),
        losses=tuple(
            replace(loss, observed=f"{finding.rule}: {loss.observed}")
            for finding in findings
            for loss in losses_of(finding)
        ),
        rollout=min(rollouts, default=None),
    )
