"""vcmp: is this version of my agent better than the one I ship?

The names below are the Python interface; the command line (`python -m vcmp`) is made of the same
functions. They are imported when first used, so that `import vcmp` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vcmp.calls import Call
    from vcmp.comparison import compare
    from vcmp.conclusions import conclude
    from vcmp.datasets import load as load_dataset
    from vcmp.decisions import decide
    from vcmp.errors import VcmpError
    from vcmp.gates import Policy
    from vcmp.pipeline import build_plan, evaluate
    from vcmp.reports import render
    from vcmp.results import load as load_evaluation
    from vcmp.types import (
        Answerer,
        Case,
        Comparison,
        Conclusion,
        Dataset,
        Delta,
        Evaluation,
        Finding,
        Interval,
        Limits,
        Paired,
        Plan,
        Result,
        Revision,
        Score,
        ScorerCard,
        Usage,
        Variant,
        Verdict,
        Version,
    )

__all__ = [
    "Answerer",
    "Call",
    "Case",
    "Comparison",
    "Conclusion",
    "Dataset",
    "Delta",
    "Evaluation",
    "Finding",
    "Interval",
    "Limits",
    "Paired",
    "Plan",
    "Policy",
    "Result",
    "Revision",
    "Score",
    "ScorerCard",
    "Usage",
    "Variant",
    "VcmpError",
    "Verdict",
    "Version",
    "build_plan",
    "compare",
    "conclude",
    "decide",
    "evaluate",
    "load_dataset",
    "load_evaluation",
    "render",
]

_HOMES = {
    "Call": "vcmp.calls:Call",
    "Policy": "vcmp.gates:Policy",
    "VcmpError": "vcmp.errors:VcmpError",
    "build_plan": "vcmp.pipeline:build_plan",
    "compare": "vcmp.comparison:compare",
    "conclude": "vcmp.conclusions:conclude",
    "decide": "vcmp.decisions:decide",
    "evaluate": "vcmp.pipeline:evaluate",
    "load_dataset": "vcmp.datasets:load",
    "load_evaluation": "vcmp.results:load",
    "render": "vcmp.reports:render",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'vcmp' has no attribute {name!r}")
    module, _, attribute = _HOMES.get(name, f"vcmp.types:{name}").partition(":")
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return __all__
