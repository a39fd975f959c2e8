"""The nouns of vcmp, as frozen dataclasses. They know nothing of files, networks or each other's
makers; every step is a function from some of them to others."""

from vcmp.types.cases import Case, Dataset, prefix
from vcmp.types.comparisons import (
    Arm,
    Comparison,
    Delta,
    Interval,
    Paired,
    Preference,
    Sample,
    Slice,
)
from vcmp.types.evaluations import TIE, Answerer, Canary, Evaluation, ScorerCard
from vcmp.types.plans import Agent, Budget, Limits, Plan, Scorer, Spent
from vcmp.types.results import Outcomes, Result, RunOutcome, Score, Usage
from vcmp.types.verdicts import (
    Alert,
    Conclusion,
    Finding,
    Loss,
    LossKind,
    Outcome,
    Verdict,
    counted,
)
from vcmp.types.versions import Revision, Variant, Version

__all__ = [
    "TIE",
    "Agent",
    "Alert",
    "Answerer",
    "Arm",
    "Budget",
    "Canary",
    "Case",
    "Comparison",
    "Conclusion",
    "Dataset",
    "Delta",
    "Evaluation",
    "Finding",
    "Interval",
    "Limits",
    "Loss",
    "LossKind",
    "Outcome",
    "Outcomes",
    "Paired",
    "Plan",
    "Preference",
    "Result",
    "Revision",
    "RunOutcome",
    "Sample",
    "Score",
    "Scorer",
    "ScorerCard",
    "Slice",
    "Spent",
    "Usage",
    "Variant",
    "Verdict",
    "Version",
    "counted",
    "prefix",
]
