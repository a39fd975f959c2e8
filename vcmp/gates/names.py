"""Names: the metrics that a policy is about."""

from collections.abc import Iterable, Iterator

from vcmp.errors import ConfigError, suggest
from vcmp.gates.evidence import mean_of
from vcmp.gates.policy import Policy, Rule
from vcmp.metrics import MEASUREMENTS


def named(rules: Iterable[Rule]) -> Iterator[str]:
    """The metrics that rules name, those of rules made of rules too."""
    for rule in rules:
        yield from named(getattr(rule, "rules", ()))
        if metric := getattr(rule, "metric", ""):
            yield metric


def check_primary(policy: Policy, scorers: Iterable[str]) -> None:
    """Refuse a primary metric that there is not: it would rank nothing, in silence.

    One that a rule names is the rule's to tell; evidence that is missing is no mistake in a policy.

    Args:
        policy: The gate.
        scorers: Names of all that there are.

    Raises:
        ConfigError: A primary metric is neither a scorer nor a measurement.
    """
    names = list(dict.fromkeys(scorers))
    known = [*names, *MEASUREMENTS, "error_rate"]
    told = {mean_of(metric) for metric in (*known, *named(policy.rules))}
    for metric in policy.primary:
        if mean_of(metric) not in told:
            raise ConfigError(
                f"gate={policy.name}: primary {metric!r} is neither a scorer nor a measurement."
                f"{suggest(metric, known)}\n  The scorers are {', '.join(names)}."
            )
