"""What is looked at before Hydra sees it: the command line and the files under conf/.

Hydra answers broken YAML with sixty lines of traceback and an alias bomb with minutes of silence,
and it writes every override into files and folder names; so both are looked through here first.
Nothing of Hydra is imported: a mistake costs no start-up time.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vcmp.directives import check_choice, check_header, check_place, check_root
from vcmp.errors import ConfigError
from vcmp.interpolations import check_text
from vcmp.nodes import compose, items, texts, walk
from vcmp.paths import inside
from vcmp.secrets import KEY_SHAPE, holds_secret

_OVERRIDE = re.compile(r"^(~|[+]{0,2}[A-Za-z_][\w./@:-]*=)")
_KEY_NAME = re.compile(r"(api_?key|token|secret|password)$", re.IGNORECASE)
_URL_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_LEAST_KEY = 12
"""Characters of a value that may be a key where it stands under a key's name."""


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
    refuse_keys(arguments)
    for argument in arguments:
        _check_override(argument)
        if argument.startswith("--experimental-rerun"):
            raise ConfigError(
                f"{argument.split('=')[0]}: vcmp reads no pickles."
                " Repeat the command line instead; it stands at the end of report.md."
            )
    overrides = [argument for argument in arguments if is_override(argument)]
    options = [argument for argument in arguments if not is_override(argument)]
    forced = ["++" + o if o.startswith(("agent.", "tracking.")) else o for o in overrides]
    return options + forced


def refuse_keys(arguments: Sequence[str]) -> None:
    """Refuse to go on when a key stands on the command line; the message does not repeat it.

    Raises:
        ConfigError: An argument holds what looks like a key, or the value of a known one.
    """
    for argument in arguments:
        name, _, value = argument.partition("=")
        named = bool(_KEY_NAME.search(name)) and value not in ("", "null") and "${" not in value
        if named or _is_key(argument):
            plain = _OVERRIDE.match(argument) and not _is_key(name)
            shown = name.lstrip("+") if plain else "the command line"
            raise ConfigError(
                f"{shown}: looks like a key, and the command line is written to outputs/ and"
                " reports.\n"
                "  Put it into an environment variable and name that: provider.api_key_env=NAME"
            )


def _is_key(text: str) -> bool:
    return bool(KEY_SHAPE.search(text) or _URL_WITH_PASSWORD.search(text) or holds_secret(text))


def _check_override(argument: str) -> None:
    """Refuse what would read a key, or have Hydra load files that are not looked through."""
    if not is_override(argument):
        return
    name = argument.lstrip("+~").partition("=")[0]
    check_text(argument, name)
    if name.startswith("hydra.searchpath"):
        raise ConfigError(
            f"{name}: its files would not be looked through. Name the folder: --config-dir FOLDER"
        )


def check_choices(arguments: Sequence[str], conf: Path) -> None:
    """Refuse overrides that choose a file outside of `conf` for one of its groups.

    Raises:
        ConfigError: A choice leads out of the folder, where nothing is looked through.
    """
    for argument in filter(is_override, arguments):
        name, _, value = argument.lstrip("+~").partition("=")
        if (conf / name.partition("@")[0]).is_dir():
            for choice in value.strip("[]").split(","):
                check_choice(choice.strip("'\" "), name)


def check_files(conf: Path) -> None:
    """Look through the project's configuration files.

    Raises:
        ConfigError: There is no such folder, or a file is broken, too large, or holds what only
            Hydra itself should be told.
    """
    if not (conf / "config.yaml").is_file():
        raise _no_config(conf)
    check_folder(conf)


def check_folder(conf: Path) -> None:
    """Look through every file that Hydra could load from a folder, links followed.

    Raises:
        ConfigError: As for `check_files`.
    """
    for path in sorted(_yaml_files(conf)):
        where = os.path.relpath(path)
        check_place(path.relative_to(conf).parts, where)
        if path.is_symlink():
            inside(Path.cwd(), path.absolute(), where, "Put the file itself there.")
        if path.is_file() and not path.name.startswith("."):  # not an editor's lock
            check_file(path, where=where, primary=path == conf / "config.yaml")


def _yaml_files(folder: Path) -> Iterator[Path]:
    """As Hydra would find them, through links to folders too; each folder once."""
    seen = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        if os.path.islink(place):
            where = os.path.relpath(place)
            inside(Path.cwd(), Path(place).absolute(), where, "Put the files themselves there.")
        yield from (Path(place, name) for name in names if name.endswith(".yaml"))


def _no_config(conf: Path) -> ConfigError:
    if conf.with_name("conf").is_dir() and (conf / "config.yml").is_file():
        return ConfigError(f"{conf.name}/config.yml: Hydra reads .yaml only. Rename it.")
    if conf.is_dir():
        return ConfigError(f"{conf.name}/: has no config.yaml. Write one, or copy the sample's.")
    return ConfigError(
        f"no {conf.name}/ folder in {os.path.basename(os.getcwd())!r}.\n"
        "  Change to your project's folder, or name another: --config-path FOLDER"
    )


def check_file(path: Path, *, where: str, primary: bool = False) -> None:
    """Look through one file.

    Args:
        where: What messages name.
        primary: Whether it is the project's conf/config.yaml.

    Raises:
        ConfigError: It is broken, too large, or says what a file must not say.
    """
    text, root = compose(path, where)
    check_header(text, where)
    if root is None:
        return
    check_root(root, where, primary=primary)
    for scalar in texts(root):
        check_text(scalar, where)
    _refuse_written_keys(root, where)


def _refuse_written_keys(root: Any, where: str) -> None:
    """Refuse a key that stands in a file as if it were a parameter; prose is left alone."""
    for name, value in (pair for node in walk(root) for pair in items(node)):
        text = value.value
        if not isinstance(text, str) or re.search(r"\s", text):
            continue
        named = _KEY_NAME.search(name) and len(text) >= _LEAST_KEY and "${" not in text
        if named or KEY_SHAPE.fullmatch(text) or _URL_WITH_PASSWORD.search(text):
            raise ConfigError(
                f"{where}:{value.start_mark.line + 1}: {name} looks like a key, and what stands"
                " here is written to outputs/ and reports.\n"
                "  Put it into an environment variable and let your code read that."
            )
