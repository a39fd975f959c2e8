"""What the source of a module says of it, without importing it.

An agent's module imports its client, a second or two: a misspelt name should not take that long.
What cannot be told from the text is left to the import.
"""

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TYPES = {"int": int, "float": float, "bool": bool, "str": str}


@dataclass(frozen=True, slots=True)
class Source:
    """A module's text."""

    module: str
    tree: ast.Module

    @property
    def names(self) -> frozenset[str] | None:
        """What is defined at its top; None when that is not all there may be."""
        return None if any(map(_hides_names, self.tree.body)) else frozenset(self._names())

    def _names(self) -> Iterator[str]:
        for statement in self.tree.body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    yield statement.name
                case ast.Import() | ast.ImportFrom():
                    yield from ((a.asname or a.name).split(".")[0] for a in statement.names)
                case ast.Assign() | ast.AnnAssign():
                    yield from (n.id for n in ast.walk(statement) if isinstance(n, ast.Name))

    def signature(self, name: str) -> inspect.Signature | None:
        """How a function, or a class with an `__init__` of its own, is called; None when a
        decorator or a base class has a say in it, or there is none of that name."""
        for statement in self.tree.body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef() if statement.name == name:
                    return None if statement.decorator_list else _signature(statement.args)
                case ast.ClassDef(decorator_list=[], keywords=[]) if statement.name == name:
                    inits = [
                        s for s in statement.body
                        if isinstance(s, ast.FunctionDef) and s.name == "__init__"
                    ]  # fmt: skip
                    plain = inits and not inits[0].decorator_list
                    return _signature(inits[0].args, skip=1) if plain else None
        return None


def read(module: str, project: Path) -> Source | None:
    """The source of one of the project's modules; None when it is not the project's, or not
    readable: importing it then says why."""
    try:
        spec = importlib.util.find_spec(module)  # imports the packages above it, no more
        if spec is None or not spec.origin or not Path(spec.origin).is_relative_to(project):
            return None
        return Source(module, ast.parse(Path(spec.origin).read_bytes()))
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def _hides_names(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return any(alias.name == "*" for alias in statement.names)
    if isinstance(statement, ast.FunctionDef):
        return statement.name == "__getattr__"
    return isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While | ast.Expr) and (
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    )


def _signature(arguments: ast.arguments, skip: int = 0) -> inspect.Signature:
    positional = [*arguments.posonlyargs, *arguments.args]
    n_required = len(positional) - len(arguments.defaults)
    parameters = [
        _parameter(argument, inspect.Parameter.POSITIONAL_OR_KEYWORD, number < n_required)
        for number, argument in enumerate(positional)
    ][skip:]
    if arguments.vararg:
        parameters.append(_parameter(arguments.vararg, inspect.Parameter.VAR_POSITIONAL, True))
    parameters += [
        _parameter(argument, inspect.Parameter.KEYWORD_ONLY, default is None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        parameters.append(_parameter(arguments.kwarg, inspect.Parameter.VAR_KEYWORD, True))
    return inspect.Signature(parameters)


def _parameter(
    argument: ast.arg, kind: inspect._ParameterKind, required: bool
) -> inspect.Parameter:
    annotation = argument.annotation
    name = annotation.id if isinstance(annotation, ast.Name) else ""
    empty = inspect.Parameter.empty
    return inspect.Parameter(
        argument.arg,
        kind,
        default=empty if required else None,
        annotation=_TYPES.get(name, empty),
    )
