"""The rule for guardrails: what does not have to prove itself, but must not be lost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vcmp.gates.evidence import Lack, difference
from vcmp.gates.findings import Judgement, answer, is_enough, lacking
from vcmp.gates.policy import Policy
from vcmp.gates.relative import about_difference, natural_direction, refuse_statistic
from vcmp.statistics import Evidence
from vcmp.types import Comparison, Finding

EVERY = "*"


@dataclass(frozen=True, slots=True)
class NoRegression:
    """No certain loss against the baseline. It fails on one, and passes where none is certain.

    Args:
        metric: A metric, or `*` for every scorer that both versions have. Their losses are held to
            Holm's level (1979, "A simple sequentially rejective multiple test procedure",
            Scandinavian Journal of Statistics 6): more scorers do not raise more false alarms.

    Raises:
        ConfigError: The metric is no mean over cases.
    """

    metric: str = EVERY

    def __post_init__(self) -> None:
        refuse_statistic("NoRegression", self.metric)

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        every = self.metric == EVERY
        rule = f"no certain loss of {'any score' if every else self.metric}"
        judged: dict[str, Evidence] = {}
        for name in _shared_scorers(comparison) if every else [self.metric]:
            evidence = difference(comparison, name, policy)
            if isinstance(evidence, Lack):
                return lacking(rule, name, evidence)
            judged[name] = evidence
        return _alarm(comparison, rule, judged, policy) if judged else lacking(rule, EVERY, NOTHING)


NOTHING = Lack(
    outcome="invalid",
    observed="the versions have no scorer in common",
    advice="Evaluate both with the same scorers.",
)


def _shared_scorers(comparison: Comparison) -> list[str]:
    return sorted(set(comparison.baseline.scorers) & set(comparison.candidate.scorers))


def _alarm(
    comparison: Comparison, rule: str, judged: Mapping[str, Evidence], policy: Policy
) -> Finding:
    """The finding about the largest loss, among the certain ones if there are any."""
    lost = certain_losses(judged, policy.alpha)
    worst = min(lost or judged, key=lambda name: _gain(name, judged[name]))
    question = about_difference(comparison, worst, rule, natural_direction(worst), margin=0.0)
    others = ", ".join(name for name in lost if name != worst)
    describe, is_loss = question.describe, question.is_loss
    up = natural_direction(worst) == "higher"
    judged_lost = Judgement("fail", "high" if up else "low")

    def describe_worst(value: float) -> str:
        return f"{worst} {describe(value)}"

    question = replace(
        question,
        judge=lambda _low, _high: judged_lost if lost else Judgement("pass", "low"),
        is_loss=lambda low, high: bool(lost) and is_loss(low, high),
        describe=describe_worst,
        needs="",
        if_failed=question.if_failed + (f" Lost as well: {others}." if others else ""),
    )
    return answer(question, judged[worst], policy)


def certain_losses(judged: Mapping[str, Evidence], alpha: float) -> list[str]:
    """The metrics whose loss is certain when all are tested together, by Holm's steps."""
    lost: list[str] = []
    while len(lost) < len(judged):
        level = alpha / (len(judged) - len(lost))
        more = [n for n in judged if n not in lost and _is_lost(n, judged[n], level)]
        if not more:
            break
        lost += more
    return lost


def _is_lost(metric: str, evidence: Evidence, level: float) -> bool:
    low, high = evidence.bounds(level)
    return is_enough(evidence) and (high if natural_direction(metric) == "higher" else -low) < 0


def _gain(metric: str, evidence: Evidence) -> float:
    up = natural_direction(metric) == "higher"
    return evidence.estimate if up else -evidence.estimate
