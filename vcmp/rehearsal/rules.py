"""The rules of a policy, and what they read."""

from collections.abc import Iterable, Iterator
from itertools import chain

from vcmp.gates import Policy, Rule

OWN_RULES = "vcmp.gates."


def leaves(rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules, those inside of other rules in the place of these."""
    for rule in rules:
        inner = getattr(rule, "rules", None)
        if isinstance(inner, list | tuple):
            yield from leaves(inner)
        else:
            yield rule


def is_foreign(rule: Rule) -> bool:
    """Whether a rule, or one inside of it, is the project's own: it may look at what only a run
    can show, so nobody knows beforehand what it says."""
    return any(not type(leaf).__module__.startswith(OWN_RULES) for leaf in leaves([rule]))


def keys_of(rule: Rule, scorers: Iterable[str]) -> tuple[str, ...]:
    """The metrics that a rule without inner ones reads, as a comparison names them."""
    metric = getattr(rule, "metric", "error_rate")
    if metric == "*":
        return tuple(scorers)
    name = metric.partition("/")[0]
    return ("error" if name == "error_rate" else name,)


def all_keys(policy: Policy, scorers: Iterable[str]) -> frozenset[str]:
    """The metrics that the rules of a policy read."""
    names = tuple(scorers)
    return frozenset(chain.from_iterable(keys_of(leaf, names) for leaf in leaves(policy.rules)))
