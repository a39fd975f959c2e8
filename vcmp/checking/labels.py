"""Labels: what people said about answers, in a case's expectations.

    {"id": …, "inputs": …, "expectations": {"output": "…", "labels": {"correctness": true}}}

`output` is the answer that people saw. For a pairwise judge it is the candidate's, and
`baseline_output` the one beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vcmp.errors import ConfigError, DatasetError, suggest
from vcmp.types import Case, Dataset, Plan

LABELS = "labels"
OUTPUT = "output"
BASELINE_OUTPUT = "baseline_output"
_WORDS = {"yes": 1.0, "no": 0.0}
_SIDES = {"candidate": 1.0, "baseline": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What people said, in [0, 1], by judge and case id."""

    given: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()
    """Names that have labels and are of no judge."""

    @property
    def case_ids(self) -> set[str]:
        """The cases that have a label for at least one judge."""
        return {case_id for labels in self.given.values() for case_id in labels}


def read_labels(plan: Plan, *, dataset: str, scorers: str) -> Labels:
    """The labels that the plan's dataset has for the plan's judges.

    Args:
        dataset: The dataset as the user chose it, for messages: `dataset=labelled`.
        scorers: Likewise.

    Raises:
        ConfigError: There are none.
        DatasetError: A label is not one.
    """
    judges = judges_of(plan)
    found: dict[str, dict[str, float]] = {}
    for case in plan.dataset.cases:
        for name, label in _labels(case, dataset).items():
            number = _number(label, name in plan.pairwise, f"{dataset}: case {case.id!r}", name)
            found.setdefault(name, {})[case.id] = number
    if not found:
        raise _no_labels(plan.dataset, dataset)
    given = {name: labels for name, labels in found.items() if name in judges}
    if not given:
        raise _no_judge(list(found), judges, dataset, scorers)
    return Labels(given=given, strangers=tuple(name for name in found if name not in judges))


def judges_of(plan: Plan) -> list[str]:
    """The scorers that ask a model, and the pairwise judges."""
    return [*(name for name, card in plan.cards.items() if card.judge), *plan.pairwise]


def _labels(case: Case, dataset: str) -> Mapping[str, Any]:
    labels = case.expectations.get(LABELS) or {}
    if not isinstance(labels, Mapping):
        raise DatasetError(
            f"{dataset}: case {case.id!r}: labels is {labels!r}. Name the judge that each is for:"
            ' "labels": {"<judge>": true}'
        )
    return labels


def _number(label: Any, pairwise: bool, where: str, name: str) -> float:
    if isinstance(label, str):
        number = (_SIDES if pairwise else _WORDS).get(label.strip().lower())
    else:
        number = float(label) if isinstance(label, int | float) and 0 <= label <= 1 else None
    if number is None:
        known = "candidate, baseline, tie" if pairwise else "yes, no, true, false"
        raise DatasetError(
            f"{where}: the label for {name!r} is {label!r}. Write {known} or a number from 0 to 1."
        )
    return number


def _no_labels(dataset: Dataset, chosen: str) -> ConfigError:
    n_cases = len(dataset.cases)
    return ConfigError(
        f"{chosen}: none of its {n_cases} cases has labels to compare a judge with.\n"
        '  Label some: "expectations": {"output": "<answer>", "labels": {"<judge>": true}}'
    )


def _no_judge(names: list[str], judges: list[str], dataset: str, scorers: str) -> ConfigError:
    labelled = ", ".join(map(repr, names))
    if not judges:
        return ConfigError(
            f"{scorers}: has no judge, and the labels are for {labelled}.\n"
            "  Choose a file that has these judges: scorers=…"
        )
    return ConfigError(
        f"{dataset}: its labels are for {labelled}, and no judge of {scorers} is called so."
        f"{suggest(names[0], judges)}\n  The judges are {', '.join(map(repr, judges))}."
    )
