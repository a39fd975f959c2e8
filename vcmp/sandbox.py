"""The one door to Jinja: templates that a project wrote run in a sandbox, and a mistake in one is
reported by template and line.

The sandbox lets a template read values and call filters; it cannot reach Python's insides or change
what it was given, and runs confined: it cannot take more than some seconds and some memory. Names
that are not defined raise, so a misspelt variable never becomes "".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateNotFound, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vcmp.confinement import run_confined
from vcmp.errors import ConfigError

Source = tuple[str, str, Callable[[], bool]]
MISTAKES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What an expression in a template can raise when its author, and not vcmp, is wrong."""


def environment(folders: Sequence[Path]) -> ImmutableSandboxedEnvironment:
    """A sandbox whose templates come from `folders` alone, the first that has one wins."""
    roots = [folder.resolve() for folder in folders]

    def load(name: str) -> Source | None:
        for root in roots:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path.read_text(encoding="utf-8"), str(path), lambda: True
        return None

    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def expand(
    sandbox: ImmutableSandboxedEnvironment,
    name: str,
    values: Mapping[str, Any],
    *,
    folder: Path,
    limit: int,
    advice: str = "",
    confined: bool = True,
) -> str:
    """Render the template `name` with `values`.

    Args:
        folder: Paths in messages are relative to it.
        limit: Characters after which the template is stopped.
        advice: What to do about an undefined name; `{}` stands for the name.
        confined: False for a template of vcmp's own, which needs no limits of time and memory.

    Raises:
        ConfigError: The template has a mistake; the message begins with `template:line`. Or it
            takes too long, or too much memory.
    """

    def render() -> str:
        return _render(sandbox, name, values, folder, limit, advice)

    return run_confined(render, name) if confined else render()


def _render(
    sandbox: ImmutableSandboxedEnvironment,
    name: str,
    values: Mapping[str, Any],
    folder: Path,
    limit: int,
    advice: str,
) -> str:
    pieces: list[str] = []
    size = 0
    try:
        for piece in sandbox.get_template(name).generate(values):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise ConfigError(f"{name}: gives more than {limit:,} characters. Make it shorter")
    except MISTAKES as error:
        raise ConfigError(_message(error, name, values, folder, advice)) from error
    return "".join(pieces)


def _message(
    error: Exception, name: str, values: Mapping[str, Any], folder: Path, advice: str
) -> str:
    where = _place(error, name, folder)
    if isinstance(error, TemplateNotFound):
        return f"{where}: there is no template {error.name!r} to include"
    if isinstance(error, UnicodeDecodeError):
        return f"{where}: is not UTF-8. Save it as UTF-8"
    what = " ".join(str(error).split()).rstrip(".")
    undefined = re.match(r"'(\w+)' is undefined$", what)
    if not isinstance(error, UndefinedError) or not undefined:
        return f"{where}: {what}"
    close = get_close_matches(undefined[1], values, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else advice.format(undefined[1])
    return f"{where}: {what}. {hint}" if hint else f"{where}: {what}"


def _place(error: Exception, name: str, folder: Path) -> str:
    """`file:line` of the template that was wrong, as deep in its includes as the error says."""
    file, line = getattr(error, "filename", None), getattr(error, "lineno", None)
    if not file or not line:
        file, line = _innermost(error.__traceback__)
    if not file:
        return name
    path = Path(file)
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path.name
    return f"{shown}:{line}"


def _innermost(traceback: TracebackType | None) -> tuple[str, int]:
    """File and line of the last frame that Jinja rewrote to point into a template."""
    place = ("", 0)
    while traceback:
        if "__jinja_exception__" in traceback.tb_frame.f_globals:
            place = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
