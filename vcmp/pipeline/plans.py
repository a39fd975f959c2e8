"""A plan from plain Python objects."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vcmp import versions
from vcmp.scorers import adapt, card_of
from vcmp.types import Answerer, Dataset, Plan, Variant, Version


def build_plan(
    agent: Callable[..., Any],
    dataset: Dataset,
    scorers: Mapping[str, Callable[..., Any]],
    *,
    variant: Variant,
    app: str = "agent",
    known_bad: Mapping[str, str | None] | None = None,
) -> Plan:
    """Make a plan from plain Python objects, without a configuration.

    Args:
        agent: Called with a case's inputs as keywords; sync or async.
        dataset: The cases.
        scorers: By metric name; anything `vcmp.scorers.adapt` takes.
        variant: Name and parameters of this configuration of the agent.
        app: Begins the version's name.
        known_bad: By metric, an answer that the judge must call bad, instead of the usual one; None
            for a judge that is to be believed untried.

    Raises:
        ConfigError: A scorer needs something that there is not.
        VersionError: Git refuses to say what revision this is.
    """
    revision, _ = versions.describe(Path.cwd())
    name = versions.name(app, variant.name, revision)
    return Plan(
        version=Version(name=name, app=app, variant=variant, revision=revision),
        agent=agent,
        dataset=dataset,
        scorers={metric: adapt(scorer) for metric, scorer in scorers.items()},
        cards={metric: card_of(scorer) for metric, scorer in scorers.items()},
        answerer=Answerer(name="python", description="the agent as it was given"),
        known_bad=known_bad or {},
    )
