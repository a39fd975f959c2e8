"""Hydra composes: from a command line to one composed job for each variant, and nothing is run.

Hydra calls the task once a job; in this process the task only keeps what was composed, so every
configuration is there, and checked, before the first paid call.
"""

import copy
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hydra import main as hydra_main
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vcmp.composition.explanations import explained
from vcmp.composition.schema import Schema
from vcmp.confinement import run_confined
from vcmp.errors import ConfigError, suggest
from vcmp.places import check_places
from vcmp.secrets import declare

MANY_REFERENCES = 10
"""So many `${…}` may blow up a text; fewer make it at most 27 times as long."""
MAX_CHARS = 5_000_000
"""Characters of a composed configuration."""


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


def compose(
    arguments: Sequence[str], *, conf: Path, needed: Collection[str] | None = None
) -> list[Job]:
    """Hand the arguments to Hydra and keep what it composes, job by job.

    Args:
        arguments: As `screening.arrange` gives them.
        conf: The project's configuration folder.
        needed: Keys whose values are needed; all, unless they are named.

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

    with _arguments(arguments), explained(conf):
        hydra_main(version_base="1.3", config_path=str(conf), config_name="config")(task)()
        return [_job(config, hydra, needed) for config, hydra in composed]


def _job(config: DictConfig, hydra: Any, needed: Collection[str] | None) -> Job:
    choices = {str(k): str(v) for k, v in hydra.runtime.choices.items() if "hydra/" not in str(k)}
    refuse_explosion(config)
    _refuse_missing(config, choices, needed)
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


def _refuse_missing(
    config: DictConfig, choices: Mapping[str, str], needed: Collection[str] | None
) -> None:
    for key in sorted(OmegaConf.missing_keys(config)):
        group = key.split(".")[0]
        if needed is not None and group not in needed:
            continue
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
