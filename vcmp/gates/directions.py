"""Which way a policy's rules want a score to go."""

from collections.abc import Iterator, Sequence
from typing import Any

from vcmp.gates.absolute import MaxRate, Threshold
from vcmp.gates.evidence import mean_of
from vcmp.gates.relative import NonInferiority, Superiority


def wanted_low(rules: Sequence[Any]) -> frozenset[str]:
    """The scores of which less is better: a rule wants them low, and none wants them high.

    The worst that a failed run can have of them is 1.
    """
    wanted = list(_wanted(rules))
    high = {metric for metric, low in wanted if not low}
    return frozenset(metric for metric, low in wanted if low and metric not in high)


def _wanted(rules: Sequence[Any]) -> Iterator[tuple[str, bool]]:
    for rule in rules:
        yield from _wanted(getattr(rule, "rules", ()))
        match rule:
            case MaxRate():
                yield mean_of(rule.metric), True
            case Threshold():
                yield mean_of(rule.metric), rule.min is None
            case NonInferiority(direction="lower"):
                yield mean_of(rule.metric), True
            case NonInferiority() | Superiority():
                yield mean_of(rule.metric), False
