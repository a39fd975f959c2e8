"""Decide on scores that another tool has made: `vcmp gate`, and `vcmp.decide` in Python."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from vcmp import comparison, conclusions, gates, tables
from vcmp.gates import MaxRatio, Policy
from vcmp.metrics import MEASUREMENTS
from vcmp.policies import load_policy
from vcmp.tables import Trial
from vcmp.types import (
    Answerer,
    Case,
    Comparison,
    Conclusion,
    Dataset,
    Evaluation,
    ScorerCard,
    Variant,
    Version,
    prefix,
)

TABLE = Answerer(name="table", description="another tool, which made the table of scores")
SEED = 0
"""Of the order in which planned looks see the cases."""


def decide(scores: Any, policy: Any) -> dict[str, Any]:
    """Judge a table of scores by a gate policy.

    Args:
        scores: A pandas DataFrame, a mapping from column to values, or the path of a CSV file,
            with the columns variant, case_id, cluster, tag, repeat, scorer, baseline, candidate:
            one line for each case, repeat and scorer. An empty cell is no value; an empty cluster
            makes a case its own; the scorer `error` (0 or 1) marks runs that failed. What
            `vcmp.tables.read` makes of the files of other tools will do as well.
        policy: A mapping like the files in conf/gate, or the path of one.

    Returns:
        What `verdict.json` holds: `verdict` (pass, fail, inconclusive or invalid), `ship` (the
        variant to ship, or None), and `findings`, each with `variant`, `metric`, `rule`,
        `outcome`, `estimate`, `ci95`, `n`, `needed_cases` and `alert`.

    Raises:
        ConfigError: The table or the policy cannot be used.
    """
    from vcmp import reports

    return reports.verdict(conclude(scores, load_policy(policy)))


def conclude(scores: Any, policy: Policy) -> Conclusion:
    """Compare, decide and rank the candidates of a table.

    Raises:
        ConfigError: The table cannot be used, or the policy has a primary metric that it lacks.
    """
    where, columns = tables.columns_of(scores)
    measurements = {*MEASUREMENTS, *_ratios(policy.rules)}
    trials = tables.group(where, columns, measurements, gates.wanted_low(policy.rules))
    gates.check_primary(policy, chain.from_iterable(trial.scorers for trial in trials))
    cases = {case.id: case for trial in trials for case in trial.cases}
    dataset = Dataset(name=Path(where).stem, cases=tuple(cases.values()))
    order = dataset.shuffled(SEED)

    def compare_at(look: int) -> list[list[Comparison]]:
        seen = order[: prefix(len(order), look, policy.looks)]
        return [[_compare(trial, dataset.name, seen)] for trial in trials]

    return conclusions.rank(gates.look_by_look(compare_at, policy), policy)


def _ratios(rules: Sequence[Any]) -> Iterator[str]:
    """The metrics of which a rule wants a ratio, which is of measurements and not of scores."""
    for rule in rules:
        if isinstance(rule, MaxRatio):
            yield rule.metric
        yield from _ratios(getattr(rule, "rules", ()))


def _compare(trial: Trial, dataset: str, seen: Sequence[Case]) -> Comparison:
    own = {case.id for case in trial.cases}
    cases = [case for case in seen if case.id in own]
    return comparison.pair(
        *trial.arms(cases),
        cases,
        baseline=_evaluation("baseline", dataset, trial.scorers),
        candidate=_evaluation(trial.variant, dataset, trial.scorers),
    )


def _evaluation(name: str, dataset: str, scorers: Sequence[str]) -> Evaluation:
    """Whose values the table has; of results and versions it knows nothing."""
    return Evaluation(
        version=Version(name=name, app="", variant=Variant(name=name)),
        dataset=Dataset(name=dataset, cases=()),
        scorers=dict.fromkeys(scorers, ScorerCard(digest="")),
        answerer=TABLE,
        results=(),
    )
