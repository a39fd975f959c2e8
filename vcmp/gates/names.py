"""Names: the metrics that a policy's rules are about."""

from collections.abc import Iterable, Iterator

from vcmp.gates.policy import Rule


def named(rules: Iterable[Rule]) -> Iterator[str]:
    """The metrics that rules name, those of rules made of rules too."""
    for rule in rules:
        yield from named(getattr(rule, "rules", ()))
        if metric := getattr(rule, "metric", ""):
            yield metric
