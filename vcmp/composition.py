"""Hydra composes: from a command line to one composed job for each variant, and nothing is run.

Hydra calls the task once a job; in this process the task only keeps what was composed, so every
configuration is there, and checked, before the first paid call. Hydra's own errors are put into
vcmp's words here.
"""

import copy
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra import main as hydra_main
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vcmp.confinement import run_confined
from vcmp.errors import ConfigError, suggest
from vcmp.places import check_places
from vcmp.secrets import declare

MANY_REFERENCES = 10
"""So many `${…}` may blow up a text; fewer make it at most 27 times as long."""
MAX_CHARS = 5_000_000
"""Characters of a composed configuration."""


@dataclass
class GateConfig:
    rules: list[Any] = field(default_factory=list)
    alpha: float = 0.05
    missing_limit: float = 0.10
    on_inconclusive: str = "block"
    primary: list[str] = field(default_factory=list)
    looks: int = 1
    select: str = "every"


@dataclass
class DatasetConfig:
    path: str = "???"
    name: str = ""
    limit: int | None = None


@dataclass
class OutcomesConfig:
    empty: str = "fail"
    refusal: str = "score"
    filtered: str = "fail"
    truncated: str = "score"


@dataclass
class BudgetConfig:
    usd: float | None = None
    tokens: int | None = None
    minutes: float | None = None
    calls: int | None = None
    confirm_usd: float | None = None


@dataclass
class ReportConfig:
    template: str = "pull_request"
    limit: int = 60_000


@dataclass
class Schema:
    """Every key of a composed config, with its type and default."""

    app: str = "agent"
    baseline: str | None = None
    baselines: list[str] = field(default_factory=list)
    pool: bool = True
    repeats: int = 1
    seed: int = 0
    concurrency: int = 16
    attempts: int = 3
    call_deadline_s: float = 60.0
    case_deadline_s: float = 180.0
    outcomes: OutcomesConfig = field(default_factory=OutcomesConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    trust: list[str] = field(default_factory=list)
    agent: dict[str, Any] = field(default_factory=dict)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    scorers: dict[str, Any] = field(default_factory=dict)
    gate: GateConfig = field(default_factory=GateConfig)
    provider: dict[str, Any] = field(default_factory=dict)
    tracking: dict[str, Any] = field(default_factory=dict)
    report: ReportConfig = field(default_factory=ReportConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One composed configuration of a sweep."""

    number: int
    config: Mapping[str, Any]
    """Every interpolation resolved; plain values only."""
    choices: Mapping[str, str]
    """By group, the file that was chosen: {"agent": "basic", …}."""
    overrides: tuple[str, ...]
    """What the command line changed in this job, without `+` signs."""


def compose(arguments: Sequence[str], *, conf: Path) -> list[Job]:
    """Hand the arguments to Hydra and keep what it composes, job by job.

    Args:
        arguments: As `screening.arrange` gives them.
        conf: The project's configuration folder.

    Returns:
        The jobs in order; none when Hydra only showed something (`--cfg`, `--info`), or when a
        launcher took the jobs to other processes.

    Raises:
        ConfigError: Something cannot be composed.
    """
    ConfigStore.instance().store(name="vcmp", node=Schema)
    composed: list[tuple[DictConfig, Any]] = []

    def task(config: DictConfig) -> None:
        # read later: Hydra would print a line of its own before an error raised here
        composed.append((copy.deepcopy(config), copy.deepcopy(HydraConfig.get())))

    with _arguments(arguments), _explained(conf):
        hydra_main(version_base="1.3", config_path=str(conf), config_name="config")(task)()
        return [_job(config, hydra) for config, hydra in composed]


def _job(config: DictConfig, hydra: Any) -> Job:
    choices = {str(k): str(v) for k, v in hydra.runtime.choices.items() if "hydra/" not in str(k)}
    refuse_explosion(config)
    _refuse_missing(config, choices)
    _refuse_unknown(config)
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    plain = {str(key): value for key, value in values.items()}
    overrides = tuple(override.lstrip("+") for override in hydra.overrides.task)
    check_places(plain, overrides, Path.cwd())
    for variable in _key_variables(plain):
        declare(variable)
    return Job(
        number=int(OmegaConf.select(hydra, "job.num") or 0),
        config=plain,
        choices=choices,
        overrides=overrides,
    )


def refuse_explosion(config: Any) -> None:
    """Refuse texts that interpolation blows up: `${b}${b}` of `${c}${c}` of … a thousand million.

    Found by trying it where it does no harm; a few references cannot grow that much.

    Raises:
        ConfigError: The configuration would have more than `MAX_CHARS` characters.
    """
    unresolved = str(OmegaConf.to_container(config, resolve=False))
    if unresolved.count("${") >= MANY_REFERENCES:

        def measure() -> str:
            size = 0
            with suppress(OmegaConfBaseException):  # told where it is resolved for good
                size = len(str(OmegaConf.to_container(config, resolve=True)))
            if size > MAX_CHARS:
                raise ConfigError(
                    f"conf: {size:,} characters once every ${{…}} is written out; it may have"
                    f" {MAX_CHARS:,}.\n  Write the values without nested ${{…}}."
                )
            return ""

        run_confined(measure, "conf: writing out every ${…}")


def _key_variables(node: Any) -> Iterator[str]:
    """The environment variables that a configuration names as holding keys: `api_key_env: NAME`."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if str(key).endswith("_env") and isinstance(value, str):
                yield value
            yield from _key_variables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _key_variables(value)


def _refuse_missing(config: DictConfig, choices: Mapping[str, str]) -> None:
    for key in sorted(OmegaConf.missing_keys(config)):
        group = key.split(".")[0]
        chosen = f" ({group}={choices[group]})" if group in choices else ""
        raise ConfigError(f"{key} has no value{chosen}. Give it one: {key}=…")


def _refuse_unknown(config: DictConfig) -> None:
    known = [field.name for field in fields(Schema)]
    for key in map(str, config):
        if key not in known:
            raise ConfigError(f"{key}: vcmp has no such key.{suggest(key, known)}")
    for key in known:
        if key not in config:
            raise ConfigError(
                f"{key}: is not in the config. Put `vcmp` first in the defaults of config.yaml,"
                f" and do not remove the key (~{key})."
            )


@contextmanager
def _arguments(arguments: Sequence[str]) -> Iterator[None]:
    """Let Hydra, which reads them from `sys.argv` alone, see the arguments and raise its errors."""
    before, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = ["vcmp", *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        sys.argv = before
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]


@contextmanager
def _explained(conf: Path) -> Iterator[None]:
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
        return f"{name}: vcmp has no such key.{suggest(name.split('@')[0], _keys())}"
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


def _keys() -> list[str]:
    """Every key of the schema, the inner ones with their group: `gate.alpha`."""
    groups = {
        "budget": BudgetConfig,
        "dataset": DatasetConfig,
        "gate": GateConfig,
        "outcomes": OutcomesConfig,
        "report": ReportConfig,
    }
    inner = [f"{group}.{key.name}" for group, kind in groups.items() for key in fields(kind)]
    return [*(key.name for key in fields(Schema)), *inner]
