"""What Hydra and OmegaConf refuse, in vcmp's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from vcmp.composition.schema import keys
from vcmp.errors import ConfigError, suggest


@contextmanager
def explained(conf: Path) -> Iterator[None]:
    """Raise a `ConfigError` where Hydra raises one of its own.

    Args:
        conf: The project's configuration folder.
    """
    try:
        yield
    except MissingConfigException as error:
        raise _missing_file(error, conf) from error
    except OverrideParseException as error:
        override = (error.override or "").lstrip("+")
        raise ConfigError(
            f"{override}: not an override. Write key=value, and quote what is special:"
            " 'key=\"a, b\"'"
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from error
    except ValueError as error:
        if found := re.search(r"Config group override must be a string .*Got (\w+)", str(error)):
            raise ConfigError(
                f"a file of {conf.name}/ is chosen by its name, and one of these is of type"
                f" {found[1]}.\n  Quote it: 'dataset=\"2024\"'"
            ) from error
        raise


def _missing_file(error: MissingConfigException, conf: Path) -> ConfigError:
    wanted = error.missing_cfg_file
    name = wanted if isinstance(wanted, str) else " ".join(wanted or ())
    if (conf / f"{name}.yml").is_file():
        return ConfigError(f"{conf.name}/{name}.yml: Hydra reads .yaml only. Rename it.")
    group, _, choice = name.rpartition("/")
    options = sorted(error.options or [path.stem for path in (conf / group).glob("*.yaml")])
    has = f"\n  There is {', '.join(options)}." if options else ""
    where = f"{group}={choice}" if group else choice
    return ConfigError(
        f"{where}: there is no {conf.name}/{name}.yaml.{suggest(choice, options)}{has}"
    )


def explain(error: Exception) -> str:
    """A Hydra or OmegaConf error in at most three lines of vcmp's voice."""
    text = f"{error}\n{error.__cause__ or ''}"
    if found := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{found[1].lstrip('+')}: several values make a sweep. Add --multirun"
    if found := re.search(r"Environment variable '([^']+)' not found", text):
        return (
            f"{_full_key(text) or 'conf'}: environment variable {found[1]!r} is not set."
            f" Set it, or give a default: ${{oc.env:{found[1]},default}}"
        )
    if found := re.search(r"Interpolation key '([^']+)' not found", text):
        return f"{_full_key(text)}: ${{{found[1]}}} names no key of the config. Correct the name."
    if "is not a ListConfig, list or tuple" in text:
        key = _full_key(text)
        return f"{key}: takes a list. Write it in brackets, and quote it: '{key}=[a,b]'"
    if found := re.search(r"(\w+) is not a subclass of str", text):
        what = "null" if found[1] == "NoneType" else f"a {found[1]}"
        return f"{_full_key(text)}: has to be a name, not {what}. Correct the value."
    if found := re.search(
        r"Value '(.*?)'(?: of type '\w+')? (?:could not be converted to|is not a valid) (\w+)", text
    ):
        key = _full_key(text) or _overridden(text)
        return f"{key}: {found[1]!r} is not {_TYPES.get(found[2], found[2])}. Correct the value."
    if found := re.search(r"Could not override '([^']+)'", text):
        name = found[1]
        return f"{name}: vcmp has no such key.{suggest(name.split('@')[0], keys())}"
    return "\n  ".join(line for line in str(error).strip().splitlines()[:3] if line.strip())


_TYPES = {
    "Integer": "a whole number",
    "Float": "a number",
    "Boolean": "true or false",
    "bool": "true or false",
}


def _full_key(text: str) -> str:
    found = re.search(r"full_key: ([\w.\[\]]+)", text)
    return found[1] if found else ""


def _overridden(text: str) -> str:
    found = re.search(r"Error merging override ([^=\s]+)", text)
    return found[1] if found else "conf"
