"""Prompts kept in template files: `conf/prompts/empathetic.j2` and what it includes."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError
from vcmp.paths import inside

LIMIT = 100_000
"""Characters a prompt may have."""


def render(path: Path, values: Mapping[str, Any], *, folder: Path) -> str:
    """Render the prompt template at `path`, without its last line break.

    Args:
        path: Absolute, or relative to `folder`. What it includes is looked for from `folder`, then
            beside it.
        values: The names that the template may use.
        folder: The project; a template outside of it is refused.

    Raises:
        ConfigError: The template is missing, outside the project, wrong, too long or too slow.
    """
    from vcmp.sandbox import environment, expand  # 0.1 s that a prompt in YAML does not cost

    root = folder.resolve()
    file = inside(root, path, "agent.prompt", "Keep prompt templates inside it.")
    if not file.is_file():
        raise ConfigError(f"{file.relative_to(root)}: no such prompt template.{_nearest(file)}")
    return expand(
        environment([root, file.parent]),
        str(file.relative_to(root)),
        values,
        folder=root,
        limit=LIMIT,
        advice="Give it a value: agent.prompt_values.{}=…",
    )


def _nearest(file: Path) -> str:
    beside = sorted(path.name for path in file.parent.glob("*") if path.is_file())
    close = get_close_matches(file.name, beside, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" There: {', '.join(beside[:8])}." if beside else ""
