"""What is looked at before Hydra sees it: the command line and the files under conf/.

Hydra answers broken YAML with sixty lines of traceback and an alias bomb with minutes of silence,
and it writes every override into files and folder names; so both are looked through here first.
Nothing of Hydra is imported: a mistake costs no start-up time.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError
from vcmp.secrets import known_secrets

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
"""Nodes a file may have once its aliases are written out."""

_OVERRIDE = re.compile(r"^(~|[+]{0,2}[A-Za-z_][\w./@:-]*=)")
_KEY_NAME = re.compile(r"(api_?key|token|secret|password)$", re.IGNORECASE)
_KEY_VALUE = re.compile(r"\b(sk|pk|ghp|gho|glpat|xox[abp])[-_][A-Za-z0-9_-]{12,}")
_URL_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_HYDRA_PACKAGE = re.compile(r"^#\s*@package\s+hydra\b", re.MULTILINE)


def is_override(argument: str) -> bool:
    return bool(_OVERRIDE.match(argument))


def arrange(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra's parser takes them: options first, then the overrides.

    `agent.<parameter>` may name any parameter of the agent, whether its file sets it or not, and
    `tracking.<parameter>` any of the store's, so such overrides are told to add what is not there;
    the signatures are checked later.

    Raises:
        ConfigError: An argument holds what looks like a key, or is none that vcmp takes.
    """
    for argument in arguments:
        _refuse_key(argument)
        if argument.startswith("--experimental-rerun"):
            raise ConfigError(
                f"{argument.split('=')[0]}: vcmp reads no pickles."
                " Repeat the command line instead; it stands at the end of report.md."
            )
    overrides = [argument for argument in arguments if is_override(argument)]
    options = [argument for argument in arguments if not is_override(argument)]
    forced = ["++" + o if o.startswith(("agent.", "tracking.")) else o for o in overrides]
    return options + forced


def _refuse_key(argument: str) -> None:
    name, _, value = argument.partition("=")
    named = bool(_KEY_NAME.search(name)) and value not in ("", "null") and "${" not in value
    secret = _KEY_VALUE.search(argument) or _URL_WITH_PASSWORD.search(argument)
    if named or secret or any(v in argument for v in known_secrets().values()):
        shown = name.lstrip("+") if _OVERRIDE.match(argument) else "the command line"
        raise ConfigError(
            f"{shown}: looks like a key, and the command line is written to outputs/ and reports.\n"
            "  Put it into an environment variable and name that: provider.api_key_env=NAME"
        )


def check_files(conf: Path) -> None:
    """Look through the project's configuration files.

    Raises:
        ConfigError: There is no such folder, or a file is broken, too large, or holds what only
            Hydra itself should be told.
    """
    if not (conf / "config.yaml").is_file():
        raise _no_config(conf)
    for path in sorted(conf.rglob("*.yaml")):
        where = os.path.relpath(path)
        if path.relative_to(conf).parts[:2] == ("hydra", "callbacks"):
            raise _callbacks(where)
        if path.is_file() and not path.name.startswith("."):  # not an editor's lock
            check_file(path, where=where)


def _no_config(conf: Path) -> ConfigError:
    if conf.with_name("conf").is_dir() and (conf / "config.yml").is_file():
        return ConfigError(f"{conf.name}/config.yml: Hydra reads .yaml only. Rename it.")
    if conf.is_dir():
        return ConfigError(f"{conf.name}/: has no config.yaml. Write one, or copy the sample's.")
    return ConfigError(
        f"no {conf.name}/ folder in {os.path.basename(os.getcwd())!r}.\n"
        "  Change to your project's folder, or name another: --config-path FOLDER"
    )


def check_file(path: Path, *, where: str) -> None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(
            f"{where}: {path.stat().st_size:,} bytes; a configuration file may have {MAX_BYTES:,}."
            "\n  Put data into a dataset file."
        )
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{where}{line}: not YAML ({error.problem}). Mend that line.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not YAML ({str(error).splitlines()[0]}). Mend it.") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: nested too deeply. Write it flat.") from error
    if _HYDRA_PACKAGE.search(text):
        raise _callbacks(where)
    if root is not None:
        _refuse_bomb(root, where)
        _refuse_callbacks(root, where)


def _refuse_bomb(root: Any, where: str) -> None:
    if _size(root, {}) > MAX_NODES:
        raise ConfigError(
            f"{where}: more than {MAX_NODES:,} values once its aliases (*name) are written out."
            "\n  Write the values without nested aliases."
        )


def _size(node: Any, known: dict[int, int]) -> int:
    """Nodes below and including `node` with every alias written out; a recursive alias is endless.

    Aliases are the same object in the composed graph, so each is measured once.
    """
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MAX_NODES + 1
    known[id(node)] = size = 1 + sum(_size(child, known) for child in _children(node))
    return size


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node.value, str):
        return ()
    return [
        part for child in node.value for part in (child if isinstance(child, tuple) else (child,))
    ]


def _refuse_callbacks(root: Any, where: str) -> None:
    """Refuse every way in which a file can have Hydra call code of its choice."""
    for key, value in _items(root):
        hydra = [inner for inner, _ in _items(value)] if key == "hydra" else []
        chosen = _scalars(value) if key == "defaults" else []
        if "callbacks" in hydra or any("hydra/callbacks" in text for text in chosen):
            raise _callbacks(where)


def _items(node: Any) -> list[tuple[str, Any]]:
    if node.id != "mapping":
        return []
    return [(str(key.value), value) for key, value in node.value]


def _scalars(node: Any) -> Iterable[str]:
    if isinstance(node.value, str):
        return [node.value]
    return [text for child in _children(node) for text in _scalars(child)]


def _callbacks(where: str) -> ConfigError:
    return ConfigError(f"{where}: hydra.callbacks runs code before anything is checked. Remove it.")
