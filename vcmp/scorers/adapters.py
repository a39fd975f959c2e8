"""Adapters: any callable as a scorer of the one form `(case, output) -> Score`."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from vcmp.calls import scoring
from vcmp.errors import ConfigError
from vcmp.types import Case, Score

Adapted = Callable[[Case, Any], Score | Awaitable[Score]]


def coerce(value: Any) -> Score:
    """What a scorer gave, as a score.

    True and "yes" are 1, False and "no" are 0, whatever the case of the letters. None is unscored.
    What MLflow's scorers give (`value`, `rationale`, `error`) keeps its rationale, and its error
    makes it unscored; of a list of them the mean counts, and one that is unscored makes the whole
    unscored.

    Raises:
        ValueError: A number outside of [0, 1], NaN, an empty list, or something else.
    """
    if value is None:
        return Score(value=None, error="the scorer gave nothing")
    if isinstance(value, Score):
        return replace(
            _checked(value.value, value.rationale, value.error), agreement=value.agreement
        )
    if hasattr(value, "value") and hasattr(value, "rationale"):
        error = _message(getattr(value, "error", None))
        return _checked(None if error else value.value, value.rationale or "", error)
    if isinstance(value, list | tuple):
        return _mean([(getattr(item, "name", ""), coerce(item)) for item in value])
    return Score(value=_number(value))


def adapt(scorer: Callable[..., Any]) -> Adapted:
    """`scorer` as a callable of (case, output) that gives a `Score`; async when `scorer` is.

    Parameters named case, output, outputs, inputs and expectations get what they say. A scorer
    with other names gets the case and the output, or, with one parameter, the output. MLflow's
    scorers are of the first kind.

    Raises:
        ConfigError: The scorer needs something that there is not.
    """
    if hasattr(scorer, "__vcmp_scorer__"):
        return scorer
    arguments = _arguments_for(scorer)
    _refuse_trace(scorer)

    def score(case: Case, output: Any) -> Score | Awaitable[Score]:
        args, named = arguments(case, output)
        with scoring():
            value = scorer(*args, **named)
        return _awaited(value) if inspect.isawaitable(value) else coerce(value)

    async def score_async(case: Case, output: Any) -> Score:
        args, named = arguments(case, output)
        with scoring():
            return coerce(await scorer(*args, **named))

    adapted: Adapted = score_async if _is_async(scorer) else score
    setattr(adapted, "__vcmp_scorer__", scorer)  # noqa: B010 - a function's type has no such field
    return adapted


def is_mlflow(scorer: Any) -> bool:
    """Whether `scorer` is one of MLflow's, found out without importing MLflow."""
    return any(
        kind.__name__ == "Scorer" and kind.__module__.startswith("mlflow.")
        for kind in type(scorer).__mro__
    )


_Arguments = Callable[[Case, Any], tuple[tuple[Any, ...], dict[str, Any]]]


def _arguments_for(scorer: Callable[..., Any]) -> _Arguments:
    """How to call `scorer`: the function from a case and its output to the arguments."""
    parameters = _parameters(scorer)
    required = [p for p in parameters if p.default is p.empty and p.kind not in _OPEN]
    by_name = [p.name for p in parameters if p.name in _KNOWN and p.kind in _NAMED]
    if by_name and all(p.name in by_name for p in required):
        return lambda case, output: ((), {name: _KNOWN[name](case, output) for name in by_name})
    if not required and any(p.kind is p.VAR_KEYWORD for p in parameters):
        names = ("inputs", "outputs", "expectations")
        return lambda case, output: ((), {name: _KNOWN[name](case, output) for name in names})
    positional = [p for p in parameters if p.kind in _PLACED]
    n_required = sum(p in positional for p in required)
    if n_required == len(required) <= 2:
        if n_required == 2 or any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return lambda case, output: ((case, output), {})
        if positional:
            return lambda _case, output: ((output,), {})
    raise ConfigError(
        f"{_name(scorer)} takes ({', '.join(p.name for p in parameters)}). A scorer takes (case, "
        "output), (output), or some of inputs, outputs and expectations."
    )


_KNOWN: Mapping[str, Callable[[Case, Any], Any]] = {
    "case": lambda case, _: case,
    "output": lambda _, output: output,
    "outputs": lambda _, output: output,
    "inputs": lambda case, _: dict(case.inputs),
    "expectations": lambda case, _: dict(case.expectations),
}
_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _parameters(scorer: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(scorer).parameters.values())
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{_name(scorer)} does not say what it takes. Wrap it in a function of (case, output)."
        ) from error


def _refuse_trace(scorer: Any) -> None:
    """A scorer that reads MLflow's trace would fail on every case, since scores come first."""
    if not is_mlflow(scorer):
        return
    wanted = {"trace", "conversation"} & set(getattr(scorer, "template_variables", ()))
    if wanted or scorer.is_session_level_scorer:
        what = " and ".join(sorted(wanted)) or "whole sessions"
        raise ConfigError(
            f"{_name(scorer)} judges {what}, and vcmp scores one output at a time. "
            "Name inputs, outputs and expectations in it."
        )


def _is_async(scorer: Any) -> bool:
    return inspect.iscoroutinefunction(scorer) or inspect.iscoroutinefunction(
        getattr(scorer, "__call__", None)  # noqa: B004 - whether it is async, not callable
    )


async def _awaited(value: Awaitable[Any]) -> Score:
    with scoring():
        return coerce(await value)


def _checked(value: Any, rationale: str, error: str) -> Score:
    if value is None:
        return Score(value=None, rationale=rationale, error=error or "the scorer gave no value")
    return Score(value=_number(value), rationale=rationale, error=error)


def _number(value: Any) -> float:
    if isinstance(value, str):
        answer = {"yes": 1.0, "no": 0.0}.get(value.strip().lower())
        if answer is None:
            raise ValueError(f"a score is a number, true or false, yes or no, and not {value!r}")
        return answer
    if not hasattr(value, "__float__"):
        kind = type(value).__name__
        raise ValueError(f"a score is a number, true or false, yes or no, and not a {kind}")
    if not 0 <= value <= 1:
        raise ValueError(f"a score lies between 0 and 1, and this one is {value!r}")
    return float(value)


def _mean(scores: list[tuple[str, Score]]) -> Score:
    if not scores:
        raise ValueError("the scorer gave an empty list")
    said = [(name, score.rationale or score.error) for name, score in scores]
    rationale = "\n".join(f"{name}: {text}" if name else text for name, text in said if text)
    values = [score.value for _, score in scores if score.value is not None]
    if len(values) < len(scores):
        missing = f"{len(scores) - len(values)} of {len(scores)} are unscored"
        return Score(value=None, rationale=rationale, error=missing)
    return Score(value=sum(values) / len(values), rationale=rationale)


def _message(error: Any) -> str:
    if error is None:
        return ""
    return str(getattr(error, "error_message", None) or getattr(error, "error_code", None) or error)


def _name(scorer: Any) -> str:
    return str(getattr(scorer, "__qualname__", None) or type(scorer).__qualname__)
