"""Cards: what has to be equal for two scores of one name to be comparable."""

import functools
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from vcmp.digests import canonical_json, digest_of
from vcmp.scorers.adapters import is_mlflow
from vcmp.types import ScorerCard


def card_of(scorer: Callable[..., Any]) -> ScorerCard:
    """The card of a scorer, equal in every process for the same code and the same parameters.

    The digest is over the scorer's name, its parameters and its source, as it is written: with the
    classes it inherits from and whatever they name of their own package (helpers, phrase lists, the
    prompts of a judge). For MLflow's scorers the version of MLflow stands for the source. A scorer
    with a true attribute `judge` asks the model that its attribute `model` names.
    """
    scorer = getattr(scorer, "__vcmp_scorer__", scorer)
    if is_mlflow(scorer):
        return _mlflow_card(scorer)
    code, _, _ = _parts(scorer)
    judge = bool(getattr(code, "judge", False))
    return ScorerCard(
        digest=digest_of(_described(scorer)),
        judge=judge,
        model=str(getattr(scorer, "model", "")) if judge else "",
    )


def _described(value: Any) -> Any:
    """`value` as JSON that tells all of it that matters and no address of an object."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Enum():
            return [_name(type(value)), value.name]
        case Mapping():
            return {str(key): _described(item) for key, item in value.items()}
        case Set():
            return sorted((_described(item) for item in value), key=canonical_json)
        case Sequence():
            return [_described(item) for item in value]
        case re.Pattern():
            return ["re", value.pattern, value.flags]
        case types.ModuleType():
            return ["module", value.__name__]
    code, parameters, arguments = _parts(value)
    return {
        "name": _name(code),
        "parameters": _described(parameters),
        "arguments": _described(arguments),
        "source": list(_sources(code)),
    }


def _parts(scorer: Any) -> tuple[Any, Mapping[str, Any], Sequence[Any]]:
    """The class or function, the parameters by name, and the positional arguments of a partial."""
    if isinstance(scorer, functools.partial):
        code, parameters, arguments = _parts(scorer.func)
        return code, {**parameters, **scorer.keywords}, (*arguments, *scorer.args)
    if isinstance(scorer, types.MethodType):
        code, parameters, _ = _parts(scorer.__self__)
        return code, {**parameters, "method": scorer.__name__}, ()
    if isinstance(scorer, types.FunctionType):
        return scorer, _closure(scorer), ()
    if isinstance(scorer, type | types.BuiltinFunctionType) or inspect.isroutine(scorer):
        return scorer, {}, ()
    if is_dataclass(scorer):
        return (
            type(scorer),
            {field.name: getattr(scorer, field.name) for field in fields(scorer)},
            (),
        )
    return type(scorer), _plain_attributes(scorer), ()


def _closure(function: types.FunctionType) -> dict[str, Any]:
    names, cells = function.__code__.co_freevars, function.__closure__ or ()
    return {name: _settled(cell) for name, cell in zip(names, cells, strict=True)}


def _settled(cell: types.CellType) -> Any:
    """What the cell holds; a function or class by its name, as it may close over itself."""
    try:
        value = cell.cell_contents
    except ValueError:
        return None
    return _name(value) if callable(value) else value


def _plain_attributes(scorer: Any) -> dict[str, Any]:
    """Attributes that are values; others (a client, a lock, a cache of objects) are no parameters.

    An attribute that the scorer has not got at construction must not be one either, so a name
    that begins with `_` is left out.
    """
    held = getattr(scorer, "__dict__", {})
    return {k: v for k, v in held.items() if not k.startswith("_") and isinstance(v, _PLAIN)}


_PLAIN = (str, int, float, Enum, Mapping, Set, Sequence, re.Pattern, type(None))


def _sources(code: Any) -> Iterator[str]:
    """Source of `code`, of its base classes, and of what they name of the same package."""
    package = _package(code)
    seen: set[str] = set()
    waiting: list[Any] = [code]
    while waiting:
        item = waiting.pop(0)
        if _name(item) in seen or _package(item) != package:
            continue
        seen.add(_name(item))
        yield _source(item)
        if isinstance(item, type):
            waiting += item.__bases__
        for name, value in _named_globals(item):
            if isinstance(value, type | types.FunctionType):
                waiting.append(value)
            elif isinstance(value, str | int | float | tuple | frozenset | re.Pattern):
                constant = f"{name} = {canonical_json(_constant(value))}"
                if constant not in seen:
                    seen.add(constant)
                    yield constant


def _constant(value: Any) -> Any:
    """A constant of a module; what is in it and not a plain value stands as its class's name."""
    if isinstance(value, tuple | frozenset):
        items = [_constant(item) for item in value]
        return sorted(items, key=canonical_json) if isinstance(value, frozenset) else items
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    return value if isinstance(value, str | int | float | None) else _name(type(value))


def _named_globals(code: Any) -> Iterator[tuple[str, Any]]:
    """Globals of the module that the body of a function, or of a class's methods, names."""
    for function in _functions(code):
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                yield name, function.__globals__[name]


def _functions(code: Any) -> Iterator[types.FunctionType]:
    members = (
        [code] if not isinstance(code, type) else [vars(code)[key] for key in sorted(vars(code))]
    )
    for member in members:
        if isinstance(member, property) and member.fget:
            member = member.fget
        function = inspect.unwrap(getattr(member, "__func__", member))
        if isinstance(function, types.FunctionType):
            yield function


def _names(code: types.CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*(_names(const) for const in inner))


def _source(code: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError):
        return ""  # typed in at a prompt, or written in C


def _package(code: Any) -> str:
    module = str(getattr(code, "__module__", "") or "")
    return getattr(sys.modules.get(module), "__package__", "") or module


def _name(code: Any) -> str:
    return f"{getattr(code, '__module__', '')}.{getattr(code, '__qualname__', type(code).__name__)}"


def _mlflow_card(scorer: Any) -> ScorerCard:
    import mlflow

    model = _mlflow_model(scorer)
    content = [mlflow.__version__, _name(type(scorer)), model, _mlflow_parameters(scorer)]
    return ScorerCard(digest=digest_of(content), judge=bool(model), model=model)


def _mlflow_parameters(scorer: Any) -> Any:
    import mlflow

    if function := getattr(scorer, "_original_func", None):  # made by @mlflow.genai.scorer
        return _described(function)
    try:
        return _described(_without_sets(scorer.model_dump()))
    except mlflow.MlflowException:  # a class of one's own, which MLflow does not serialize
        held = {name: getattr(scorer, name) for name in sorted(type(scorer).model_fields)}
        return [_described(held), *_sources(type(scorer))]


def _mlflow_model(scorer: Any) -> str:
    """The model a judge of MLflow's asks, its default written out; "" for a rule."""
    if hasattr(scorer, "model"):
        from mlflow.genai.judges.utils import get_default_model

        return str(scorer.model or get_default_model())
    return str(getattr(scorer, "_model", None) or "")


def _without_sets(dump: Any) -> Any:
    """MLflow writes the set `required_columns`, fixed for each class, in an order that changes from
    process to process."""
    if isinstance(dump, Mapping):
        items = ((key, value) for key, value in dump.items() if key != "required_columns")
        return {key: _without_sets(value) for key, value in items}
    return [_without_sets(item) for item in dump] if isinstance(dump, list) else dump
