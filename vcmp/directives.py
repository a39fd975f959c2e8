"""What a configuration file tells Hydra itself.

Hydra builds its launcher, its logging and its callbacks from `hydra.…`, sets environment variables
and folders from there, and loads files from wherever it is told to: all before vcmp can check what
was composed. So a file may say little of it, and is loaded only from the project's conf/.
"""

import re
from typing import Any

from vcmp.errors import ConfigError
from vcmp.nodes import items, texts

MAY_STAND = {"mode": (), "job": ("name",), "run": ("dir",), "sweep": ("dir", "subdir")}
"""The keys of `hydra` that change nothing but names; vcmp sets the folders itself."""
HEADER_CHARS = 512
"""What Hydra reads of a file to find its `# @package` line."""


def check_place(parts: tuple[str, ...], where: str) -> None:
    """Refuse files that Hydra would take as parts of its own configuration.

    Args:
        parts: Folders and name of the file, from conf/ on.
    """
    group = parts[0].split(".") if len(parts) > 1 else [""]
    if group[0] != "hydra":
        return
    if "callbacks" in (*group, *parts):
        raise _callbacks(where)
    raise ConfigError(f"{where}: would become a part of Hydra itself. Remove it.")


def check_header(text: str, where: str) -> None:
    """Refuse a `# @package` line that puts the file into Hydra's own configuration."""
    for line in text[:HEADER_CHARS].splitlines():
        content = line.strip().lstrip("#").strip()
        if content.startswith("@") and "hydra" in content:
            if "callbacks" in content:
                raise _callbacks(where)
            raise ConfigError(
                f"{where}: '# {content}' would make it a part of Hydra itself. Remove the line."
            )
        if content and not (line.strip().startswith("#") and content.startswith("@")):
            return


def check_root(root: Any, where: str, *, primary: bool) -> None:
    """Refuse what a file may not tell Hydra, or vcmp.

    Args:
        root: The file's YAML node.
        primary: Whether it is conf/config.yaml, which alone may say what code is trusted.
    """
    for key, value in items(root):
        if key == "hydra":
            _check_hydra(value, where)
        elif key == "defaults":
            for text in texts(value):
                check_choice(text, where)
        elif key == "trust" and not primary:
            raise ConfigError(
                f"{where}: trust is said in conf/config.yaml alone, where a reviewer looks for it."
                " Move it there."
            )


def _check_hydra(node: Any, where: str) -> None:
    for key, value in items(node) or [("", node)]:
        if key == "callbacks":
            raise _callbacks(where)
        inner = [f"{key}.{name}" for name, _ in items(value)]
        allowed = [f"{key}.{name}" for name in MAY_STAND.get(key, ())]
        wrong = [name for name in inner if name not in allowed]
        if key not in MAY_STAND or wrong or (allowed and not inner):
            told = ".".join(part for part in ("hydra", wrong[0] if wrong else key) if part)
            may = [f"hydra.{k}.{n}" if n else f"hydra.{k}" for k, ns in MAY_STAND.items()
                   for n in ns or ("",)]  # fmt: skip
            raise ConfigError(
                f"{where}: {told} would let a file choose what Hydra runs, or where it writes."
                f"\n  Remove it; what may stand there is {', '.join(may)}."
            )


def check_choice(text: str, where: str) -> None:
    """Refuse a name of a file, or of a group, that leads out of conf/ or into Hydra.

    Args:
        text: An entry of a `defaults` list, or a value or a name on the command line.
    """
    name, _, package = text.partition("@")
    if "hydra" in package or "${" in package:
        if "callbacks" in package:
            raise _callbacks(where)
        raise ConfigError(f"{where}: {text!r} would make a file a part of Hydra itself. Remove it.")
    words = name.split()
    path = words[-1] if words else ""
    if "hydra/callbacks" in path:
        raise _callbacks(where)
    outside = path.startswith("//") or any(part.startswith(".") for part in path.split("/"))
    if outside or re.search(r"\$\{[^}]*:", path):  # a resolver could give anything
        raise ConfigError(
            f"{where}: {text!r} names a file that is not looked through. Name one of conf/."
        )


def _callbacks(where: str) -> ConfigError:
    return ConfigError(f"{where}: hydra.callbacks runs code before anything is checked. Remove it.")
