"""Gate policies: of a composed configuration, a file like conf/gate/*.yaml, or a mapping."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vcmp.composition import GateConfig, explain, refuse_explosion
from vcmp.errors import ConfigError, suggest
from vcmp.gates import Policy
from vcmp.paths import inside
from vcmp.project import compose_one
from vcmp.results import SweepRecord
from vcmp.screening import check_file
from vcmp.targets import Builder

KEYS = tuple(key.name for key in fields(GateConfig))


def load_policy(policy: Any) -> Policy:
    """Build a gate policy.

    Args:
        policy: A mapping with the keys of a file in conf/gate, the path of such a file, or a
            policy. In a mapping a rule may be an object of vcmp.gates, too.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong.
    """
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, str | Path):
        name, gate = Path(policy).stem, _read(Path(policy))
    elif isinstance(policy, Mapping):
        name, gate = "policy", dict(policy)
    else:
        raise ConfigError(
            f"policy: a {type(policy).__name__} is none. Give a mapping, or a file's path."
        )
    where = f"gate={name}"
    return build_policy(_complete(gate, where), name, Builder(Path.cwd()))


def build_policy(gate: Mapping[str, Any], name: str, builder: Builder) -> Policy:
    """The gate policy that a composed `gate` group describes.

    Raises:
        ConfigError: A rule, or a key of the policy, is wrong; the message counts rules from 1.
    """
    rules = tuple(
        builder.build(rule, f"gate={name}, rule {number}")
        for number, rule in enumerate(gate["rules"], start=1)
    )
    primary = tuple(gate["primary"])
    return Policy(**{**gate, "name": name, "rules": rules, "primary": primary})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How a sweep is to be concluded."""

    policy: Policy
    report: Mapping[str, Any]
    """Template and limit of the report."""


def choose(record: SweepRecord, overrides: Sequence[str]) -> Choice:
    """What a sweep was run with; with overrides, gate and report of the configuration as it is now,
    the gate by the name that the sweep was run with unless an override names another.

    Raises:
        ConfigError: A rule, or a key of the policy, is wrong.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a rule may be the project's own
    if not overrides:
        _check_record(record)
        builder = Builder(Path.cwd(), record.trust)
        policy = build_policy(record.policy, record.gate, builder)
        return Choice(policy=policy, report=record.report)
    chosen = any(override.startswith("gate=") for override in overrides)
    job = compose_one(
        overrides if chosen else [*overrides, f"gate={record.gate}"], ["gate", "report", "trust"]
    )
    builder = Builder(Path.cwd(), tuple(job.config["trust"]))
    policy = build_policy(job.config["gate"], job.choices["gate"], builder)
    return Choice(policy=policy, report=job.config["report"])


def _check_record(record: SweepRecord) -> None:
    """Refuse what a sweep's files, which may come from elsewhere, want beyond the project."""
    template = str(record.report.get("template", ""))
    advice = "If it is yours, type it: report.template=…"
    inside(Path.cwd(), template, "report.template of sweep.json", advice)
    trusted = compose_one([], ["trust"]).config["trust"] if record.trust else ()
    for module in record.trust:
        if module not in trusted:
            raise ConfigError(
                f"sweep.json trusts {module!r}, and conf/config.yaml does not.\n"
                f"  If its code may run here, say so there: trust: [{module}]"
            )


def _read(path: Path, above: Sequence[Path] = ()) -> dict[str, Any]:
    """What the file says, on top of the files that its `defaults` name."""
    import yaml

    if path in above:
        way = " -> ".join(each.stem for each in (*above[above.index(path) :], path))
        raise ConfigError(f"{path}: its defaults lead back to it ({way}). Take one of them out.")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file. Give a policy like conf/gate/*.yaml")
    check_file(path, where=str(path))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    gate = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    if not isinstance(gate, dict):
        raise ConfigError(f"{path}: is no mapping. Begin with `rules:`")
    own = {key: value for key, value in gate.items() if key != "defaults"}
    merged: dict[str, Any] = {}
    for base in _bases(path, gate.get("defaults")):
        merged |= own if base == "_self_" else _read(_beside(path, base), (*above, path))
    return merged


def _bases(path: Path, defaults: Any) -> list[str]:
    """What `defaults` names, in order; as in Hydra, the file itself is last unless it says so."""
    bases = [] if defaults is None else defaults
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise ConfigError(
            f"{path}: defaults {defaults!r} is no list of files beside it. "
            "Write defaults: [release]"
        )
    return bases if "_self_" in bases else [*bases, "_self_"]


def _beside(path: Path, base: str) -> Path:
    sibling = path.with_name(f"{base}.yaml") if Path(base).name == base else None
    if sibling is None or not sibling.is_file():
        others = [other.stem for other in sorted(path.parent.glob("*.yaml")) if other != path]
        raise ConfigError(
            f"{path}: defaults name {base!r}, and there is no such file beside it."
            f"{suggest(base, others)}"
        )
    return sibling


def _complete(gate: dict[str, Any], where: str) -> dict[str, Any]:
    """All keys of a policy, each of its type."""
    for key in gate:
        if key not in KEYS:
            raise ConfigError(f"{where}: a policy has no key {key!r}.{suggest(str(key), KEYS)}")
    if gate.get("rules") is None:
        raise ConfigError(
            f"{where}: has no rules. List them under `rules:`, or decide nothing by rules: []"
        )
    rules = _rules(gate["rules"], where)
    given = {**gate, "rules": [rule for rule in rules if isinstance(rule, Mapping)]}
    if isinstance(gate.get("primary"), str):
        given["primary"] = [gate["primary"]]
    try:
        config = OmegaConf.merge(_schema(), given)
        refuse_explosion(config)
        complete = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}: {explain(error)}") from error
    assert isinstance(complete, dict)
    described = iter(complete["rules"])
    built = [next(described) if isinstance(rule, Mapping) else rule for rule in rules]
    return {**{str(key): value for key, value in complete.items()}, "rules": built}


@cache
def _schema() -> Any:
    return OmegaConf.structured(GateConfig)


def _rules(rules: Any, where: str) -> Sequence[Any]:
    if not isinstance(rules, list | tuple):
        raise ConfigError(f"{where}: rules is no list. Begin each rule with a dash, or with [")
    for number, rule in enumerate(rules, start=1):
        described = isinstance(rule, Mapping) and "_target_" in rule
        if not described and (isinstance(rule, type | Mapping) or not callable(rule)):
            raise ConfigError(
                f"{where}, rule {number}: {rule!r} is no rule.\n"
                "  Write {_target_: vcmp.gates.NonInferiority, metric: …}, or another rule."
            )
    return rules
