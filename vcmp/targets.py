"""Targets: from a config node with `_target_` to the Python object it describes.

`_target_` is code, so only what the project itself, vcmp and MLflow's scorers define may be named,
and what `trust:` lists. Everything a config can get wrong is found here, before anything is called.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vcmp import sources
from vcmp.errors import ConfigError, VcmpError, suggest
from vcmp.permissions import NO_CODE, Permissions, is_taken

PACKAGES = ("vcmp.gates", "vcmp.judges", "vcmp.scorers", "mlflow.genai.scorers")
_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds what config nodes describe, from trusted modules only."""

    project: Path
    """The folder whose modules are the project's own."""
    trust: tuple[str, ...] = ()
    """Further modules that may be named."""

    def build(self, node: Mapping[str, Any], where: str) -> Any:
        """Build the object of `node`, inner nodes first.

        Args:
            node: A mapping with `_target_`, plain values only.
            where: The node as the user would name it, to begin messages with.

        Raises:
            ConfigError: The target may not be named, cannot be imported, or does not take the
                parameters.
        """
        self.check(node, where)
        try:
            return _construct(node, where)
        except VcmpError as error:
            named = str(error).startswith(where)
            raise type(error)(str(error) if named else f"{where}: {error}") from error
        except (Exception, SystemExit) as error:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ConfigError(
                f"{where}: {node['_target_']} cannot be built ({what}). Correct its parameters."
            ) from error

    def check(self, node: Any, where: str) -> None:
        """Raise a ConfigError for anything in `node` that could not be built."""
        if isinstance(node, Mapping):
            for value in node.values():
                self.check(value, where)
            if "_target_" in node:
                self._check_target(node, where)
        elif isinstance(node, (list, tuple)):
            for value in node:
                self.check(value, where)

    def _check_target(self, node: Mapping[str, Any], where: str) -> None:
        name = node["_target_"]
        if not isinstance(name, str) or "." not in name:
            raise ConfigError(f"{where}: _target_ {name!r} names nothing. Write module.name")
        if not self._permissions.may_import(name):
            raise self._not_trusted(name, name.split(".")[0], where)
        self.check_source(node, where)
        _, *way, target = _follow(name, where)
        stray = next((step for step in way if not self._permissions.may_pass(step)), None)
        if stray is not None:
            raise self._not_trusted(name, stray.__name__.split(".")[0], where)
        if not self._permissions.may_call(target, name):
            home = getattr(target, "__module__", None) or type(target).__module__
            raise self._not_trusted(name, str(home).split(".")[0], where)
        with suppress(ValueError, TypeError, NameError):
            # of a C function, or with annotations that only exist while type checking, is unknown
            signature = inspect.signature(target, eval_str=True)
            _check_parameters(node, signature, where)

    def check_source(self, node: Mapping[str, Any], where: str) -> None:
        """Find in the module's text, at once, what its import would show seconds later.

        Raises:
            ConfigError: The target is not there, or does not take the parameters.
        """
        target = str(node["_target_"])
        module, _, name = target.rpartition(".")
        # looking for a module imports its package
        allowed = module and self._permissions.may_import(target)
        source = sources.read(module, self.project) if allowed else None
        if source is None:
            return
        if source.names is not None and name not in source.names:
            raise _not_there(module, name, source.names, where)
        signature = source.signature(name)
        if signature:
            _check_parameters(node, signature, where)

    @property
    def _permissions(self) -> Permissions:
        return Permissions(self.project, self.trust)

    def _not_trusted(self, name: str, root: str, where: str) -> ConfigError:
        told = f"{where}: _target_ {name!r} is"
        if root in ("vcmp", "mlflow"):
            return ConfigError(
                f"{told} no class for configurations.\n"
                f"  {root} has some in {', '.join(p for p in PACKAGES if p.startswith(root))}."
            )
        if is_taken(root) and any(map(Path.exists, (self.project / root, self._file(root)))):
            return ConfigError(
                f"{told} in a module whose name is also one of Python's own.\n"
                f"  Rename {root} in your project."
            )
        if root in NO_CODE:
            return ConfigError(
                f"{told} code in {root}/, where nobody looks for it. Move it into agents/."
            )
        return ConfigError(
            f"{told} outside of the project and of vcmp.\n"
            f"  If its code may run here, say so in conf/config.yaml: trust: [{root}]"
        )

    def _file(self, module: str) -> Path:
        return self.project / f"{module}.py"


def _construct(node: Any, where: str) -> Any:
    """Call the targets in `node`, inner ones first. Texts are taken as they are: Hydra's own
    `instantiate` would interpolate what a prompt's template has put in."""
    if isinstance(node, (list, tuple)):
        return [_construct(value, where) for value in node]
    if not isinstance(node, Mapping):
        return node
    if "_target_" not in node:
        return {key: _construct(value, where) for key, value in node.items()}
    given = {k: _construct(v, where) for k, v in node.items() if not str(k).startswith("_")}
    arguments = [_construct(value, where) for value in node.get("_args_", ())]
    target = locate(node["_target_"], where)
    return (
        partial(target, *arguments, **given)
        if node.get("_partial_")
        else (target(*arguments, **given))
    )


def locate(name: str, where: str) -> Callable[..., Any]:
    """Import what the dotted `name` says.

    Raises:
        ConfigError: There is no such module or nothing of that name in it.
    """
    found = _follow(name, where)[-1]
    if not callable(found):
        raise ConfigError(f"{where}: {name!r} cannot be called. Name a class or a function.")
    target: Callable[..., Any] = found
    return target


def _follow(name: str, where: str) -> list[Any]:
    """What lies on the way of a dotted name: its module, and each attribute after it."""
    module, parts = _import_longest(name.split("."), where)
    way = [module]
    for part in parts:
        if not hasattr(way[-1], part):
            raise _not_there(module.__name__, part, dir(way[-1]), where)
        way.append(getattr(way[-1], part))
    return way


def _import_longest(parts: Sequence[str], where: str) -> tuple[Any, Sequence[str]]:
    """The module that the longest beginning of `parts` names, and what is left of them."""
    module: Any = None
    for length in range(1, len(parts)):
        path = ".".join(parts[:length])
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if not (error.name and path.startswith(error.name)):
                raise _broken(path, error, where) from error
            package = module is None or hasattr(module, "__path__")
            if package and not hasattr(module, parts[length - 1]):
                raise _no_module(path, module, where) from error
            return module, parts[length - 1 :]
        except (Exception, SystemExit) as error:
            raise _broken(path, error, where) from error
    return module, parts[-1:]


def _no_module(path: str, parent: Any, where: str) -> ConfigError:
    head = path.rpartition(".")[0]
    siblings = [f"{head}.{m.name}" for m in pkgutil.iter_modules(getattr(parent, "__path__", []))]
    return ConfigError(f"{where}: there is no module {path!r}.{suggest(path, siblings)}")


def _broken(path: str, error: BaseException, where: str) -> ConfigError:
    trace, line = error.__traceback__, ""
    while trace:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(Path.cwd()):
            line = f", {file.relative_to(Path.cwd())}:{trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line = f", line {error.lineno}"
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return ConfigError(f"{where}: importing {path!r} fails ({what}{line}). Mend that module.")


def _not_there(module: str, part: str, names: Iterable[str], where: str) -> ConfigError:
    public = sorted(item for item in names if not item.startswith("_"))
    return ConfigError(f"{where}: {module!r} has no {part!r}.{suggest(part, public)}")


def _check_parameters(node: Mapping[str, Any], signature: inspect.Signature, where: str) -> None:
    known = signature.parameters
    given = {key: value for key, value in node.items() if not str(key).startswith("_")}
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        _refuse_unknown(given, list(known), node["_target_"], where)
    if not node.get("_partial_") and "_args_" not in node:
        _refuse_missing(given, signature, node["_target_"], where)
    for key, value in given.items():
        if key in known:
            _refuse_type(value, known[key].annotation, f"{where}: {key}")


def _refuse_unknown(given: Mapping[str, Any], known: list[str], target: str, where: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{where}: {target} has no parameter {key!r}.{suggest(key, known)}\n"
                f"  It takes {', '.join(known) or 'none'}."
            )


def _refuse_missing(
    given: Mapping[str, Any], signature: inspect.Signature, target: str, where: str
) -> None:
    for name, parameter in signature.parameters.items():
        optional = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if not optional and parameter.default is parameter.empty and name not in given:
            raise ConfigError(f"{where}: {target} needs {name!r}. Give it a value in its file.")


def _refuse_type(value: Any, wanted: Any, where: str) -> None:
    if wanted not in _NAMES or isinstance(value, Mapping):
        return
    fits = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
    if not fits and not (wanted is float and isinstance(value, int)):
        raise ConfigError(f"{where}={value!r} is not {_NAMES[wanted]}. Correct the value.")


def refuse_inputs(agent: Callable[..., Any], inputs: Mapping[str, Any], where: str) -> None:
    """Refuse inputs that the agent cannot be called with.

    Raises:
        ConfigError: It takes other names; the message says which.
    """
    try:
        parameters = inspect.signature(agent).parameters
    except (ValueError, TypeError):
        return
    takes = [name for name, p in parameters.items() if p.kind is not p.VAR_POSITIONAL]
    needs = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    strange = [name for name in inputs if name not in takes and not anything]
    missing = [name for name in needs if name not in inputs]
    if strange or missing:
        raise ConfigError(
            f"{where} has the inputs {', '.join(inputs)}, but the agent takes "
            f"{', '.join(takes) or 'none'}.\n  Rename the inputs, or the agent's parameters;"
            " what it must not see belongs into expectations."
        )


def imported_sources(project: Path) -> tuple[Path, ...]:
    """Files of the project that are imported right now."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = (Path(file) for file in files if file)
    return tuple(sorted(path for path in paths if path.is_relative_to(project)))
