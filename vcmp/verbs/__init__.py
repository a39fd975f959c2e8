"""The commands beside the main job, one module each.

A command's module has `run(options, overrides)`, which returns the exit code; arguments of the form
key=value are overrides of the configuration.
"""

from collections.abc import Sequence
from importlib import import_module

from vcmp.screening import is_override

VERBS = {
    "conclude": "decide and report again from a sweep's files: another gate, another template",
    "gate": "decide on a table of scores that another tool has made",
    "judge-check": "compare judges with labels that people gave to the same answers",
    "plan": "say what a run would take, and whether its gate could decide; nothing is sent",
    "resume": "go on with a sweep that was interrupted, killed or stopped",
    "selfcheck": "compare the baseline with itself: how often does the gate raise a false alarm",
    "ui": "open the MLflow UI on the project's tracking store",
    "versions": "list and rank recorded versions; `versions show NAME` analyses one's traces",
}


def run(verb: str, arguments: Sequence[str]) -> int:
    """Run `vcmp <verb>`.

    Returns:
        The exit code, as for the main job.
    """
    options = [argument for argument in arguments if not is_override(argument)]
    overrides = [argument for argument in arguments if is_override(argument)]
    module = import_module(f"vcmp.verbs.{verb.replace('-', '_')}")
    code: int = module.run(options, overrides)
    return code
