"""What the versions of a sweep are called: the agent's file and what the command line changed."""

import re
from collections.abc import Sequence
from pathlib import Path

from vcmp.composition import Job
from vcmp.digests import digest_of
from vcmp.errors import ConfigError

_MAX_SLUG = 24


def name_variants(jobs: Sequence[Job]) -> list[str]:
    """A name for each job: the agent's file plus what the command line set in `agent.*`.

    What a sweep varies outside of `agent` is added only where names would be equal without it.

    Raises:
        ConfigError: Two jobs are the same.
    """
    names = [_name(job, [*filter(_is_parameter, job.overrides)]) for job in jobs]
    if len(set(names)) < len(names):
        common = set.intersection(*(set(job.overrides) for job in jobs))
        varied = [[o for o in job.overrides if o not in common] for job in jobs]
        kept = [[o for o in own if not o.startswith("agent=")] for own in varied]
        names = [_name(job, own) for job, own in zip(jobs, kept, strict=True)]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"variant {name!r} is twice in this sweep. Name each only once.")
    return names


def _name(job: Job, overrides: Sequence[str]) -> str:
    if "agent" not in job.choices or job.choices["agent"] == "None":
        raise ConfigError("agent: names no single file of conf/agent. Choose one: agent=basic")
    slugs = [_slug(override) for override in overrides]
    return "-".join([job.choices["agent"], *slugs])


def _is_parameter(override: str) -> bool:
    return override.lstrip("~").startswith("agent.")


def _slug(override: str) -> str:
    """`agent.temperature=0.7` as `temperature_0_7`, a template by its stem, `~agent.top_p` as
    `without_top_p`; where signs are lost or cut off, a digest keeps two values apart."""
    key, _, value = override.lstrip("~").removeprefix("agent.").partition("=")
    key = re.sub(r"[^A-Za-z0-9]+", "_", key)
    if override.startswith("~"):
        return f"without_{key}"
    stem = Path(value).stem if value.endswith(".j2") else value
    if re.fullmatch(r"-?\d+\.\d+|[A-Za-z0-9_-]+", stem) and len(stem) <= _MAX_SLUG:
        return f"{key}_{stem.replace('.', '_')}"
    words = re.sub(r"[^A-Za-z0-9-]+", "_", stem)[:_MAX_SLUG].strip("_")
    return "_".join(part for part in (key, words, digest_of(value)[:6]) if part)
