"""From composed jobs to a `Sweep`: plans with everything built and checked.

Two steps, so that mistakes cost nothing: `settle` builds what all jobs share and needs none of the
project's code; `plan_sweep` then, with the provider open, imports the agents and builds one plan a
job.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcmp import baselines, datasets, gates, prompts, versions
from vcmp.composition import Job
from vcmp.errors import ConfigError
from vcmp.gates import Policy
from vcmp.pipeline import Sweep
from vcmp.policies import build_policy
from vcmp.results import SweepRecord
from vcmp.secrets import scrub
from vcmp.targets import Builder, imported_sources, refuse_inputs
from vcmp.types import (
    Budget,
    Dataset,
    Limits,
    Outcomes,
    Plan,
    Revision,
    Variant,
    Version,
)
from vcmp.variants import name_variants
from vcmp.yardsticks import build_scorers

if TYPE_CHECKING:
    from vcmp.provider import Provider
    from vcmp.tracking import MlflowTracker

SHARED = (
    "app", "baseline", "baselines", "pool", "gate", "provider", "tracking", "report",
    "concurrency", "attempts", "call_deadline_s", "case_deadline_s", "outcomes", "budget",
)  # fmt: skip
YARDSTICK = ("dataset", "scorers")
MLFLOW = "mlflow:"
"""Begins the path of a dataset that lies in the MLflow store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all versions of a sweep share."""

    project: Path
    builder: Builder
    jobs: tuple[Job, ...]
    variants: tuple[Variant, ...]
    """In the order of `jobs`; names only, parameters are read when the plans are built."""
    provider: "Provider"
    tracker: "MlflowTracker | None"
    policy: Policy
    limits: Limits
    outcomes: Outcomes
    budget: Budget
    record: SweepRecord


def settle(jobs: Sequence[Job], *, project: Path, command: str) -> Settings:
    """Build what the jobs share.

    Args:
        jobs: At least one.
        project: The folder that holds conf/.
        command: What the user typed, for the report.

    Raises:
        ConfigError: The jobs do not fit together, or something cannot be built.
    """
    _refuse_differences(jobs)
    first = jobs[0].config
    names = name_variants(jobs)
    variants = tuple(
        Variant(name=name, choice=job.choices.get("agent", ""))
        for name, job in zip(names, jobs, strict=True)
    )
    baseline, *anchors = _baselines(jobs[0]) or ("",)
    baselines.check(variants, baseline, anchors)
    builder = Builder(project, tuple(first["trust"]))
    policy = build_policy(first["gate"], jobs[0].choices.get("gate", ""), builder)
    gates.check_primary(policy, _scorer_names(jobs))
    return Settings(
        project=project,
        builder=builder,
        jobs=tuple(jobs),
        variants=variants,
        provider=builder.build(first["provider"], f"provider={jobs[0].choices.get('provider')}"),
        tracker=build_tracker(jobs[0], builder),
        policy=policy,
        limits=Limits(**{key: first[key] for key in Limits.__slots__}),
        outcomes=Outcomes(**first["outcomes"]),
        budget=Budget(**first["budget"]),
        record=SweepRecord(
            baseline=baseline,
            anchors=tuple(anchors),
            gate=jobs[0].choices.get("gate", ""),
            policy=first["gate"],
            report=first["report"],
            trust=tuple(first["trust"]),
            command=command,
            tracking=tuple(filter(_names_store, jobs[0].overrides)),
        ),
    )


def _names_store(override: str) -> bool:
    return re.split("[.=]", override.lstrip("~"))[0] in ("tracking", "app")


def _scorer_names(jobs: Sequence[Job]) -> list[str]:
    """The scorers that are configured; null takes an inherited one out."""
    return [
        name for job in jobs for name, node in job.config["scorers"].items() if node is not None
    ]


def _refuse_differences(jobs: Sequence[Job]) -> None:
    shared = (*SHARED, *(YARDSTICK if _baselines(jobs[0]) else ()))
    for key in shared:
        if any(job.config[key] != jobs[0].config[key] for job in jobs):
            what = "cases and scorers" if key in YARDSTICK else key
            raise ConfigError(
                f"{key}: differs between the jobs of this sweep, whose versions share one {what}.\n"
                "  Sweep over agent=… or agent.<parameter>=…, and run the rest one by one."
            )


def _baselines(job: Job) -> tuple[str, ...]:
    """The baseline and the further ones; the command line's `baseline=` is the first in any case,
    and none is none."""
    single, listed = job.config["baseline"], job.config["baselines"]
    given = any(override.split("=")[0] == "baseline" for override in job.overrides)
    if not single and (given or not listed):
        return ()
    if not listed:
        return (single,)
    return (single, *(name for name in listed[1:] if name != single)) if given else tuple(listed)


def build_tracker(job: Job, builder: Builder) -> "MlflowTracker | None":
    """The tracking store that a job names; None for tracking=none."""
    if "_target_" not in job.config["tracking"]:
        return None
    tracker: MlflowTracker = builder.build(
        {**job.config["tracking"], "project": builder.project},
        f"tracking={job.choices.get('tracking')}",
    )
    return tracker


def plan_sweep(settings: Settings, folder: Path) -> Sweep:
    """Build one plan a job. The provider must be open: agents make their clients now.

    Raises:
        ConfigError: An agent or a scorer cannot be built, or does not take the dataset's inputs.
        DatasetError: The dataset cannot be read.
    """
    plans = [_build(settings, number) for number in range(len(settings.jobs))]
    sources = imported_sources(settings.project)
    revision, note = versions.describe(settings.project, [*sources, *_templates(settings)])
    plans = [replace(plan, version=_name_version(plan.version, revision)) for plan in plans]
    numbers = tuple(str(job.number) for job in settings.jobs)
    return Sweep(
        folder=folder,
        plans=tuple(plans),
        folders=tuple(folder / number for number in numbers),
        limits=settings.limits,
        budget=settings.budget,
        record=replace(
            settings.record,
            jobs=numbers,
            versions=tuple(plan.version.name for plan in plans),
            code="" if revision else versions.code_digest(settings.project, sources),
            answerer=plans[0].answerer.identity,
            notes=(note,) if note else (),
        ),
        policy=settings.policy,
        tracker=settings.tracker,
        traced=any(b"mlflow" in source.read_bytes() for source in sources),
        rerun=_rerun(settings.jobs[0], settings.project),
        pool=settings.jobs[0].config["pool"],
    )


def _name_version(version: Version, revision: Revision | None) -> Version:
    name = versions.name(version.app, version.variant.name, revision)
    return replace(version, name=name, revision=revision)


def _templates(settings: Settings) -> list[Path]:
    prompts_of = (job.config["agent"].get("prompt") for job in settings.jobs)
    return [settings.project / p for p in prompts_of if isinstance(p, str) and p.endswith(".j2")]


def _rerun(job: Job, project: Path) -> tuple[str, ...]:
    """Overrides that evaluate another revision's default agent as this job does its own."""
    own = ("agent", "baseline", "baselines", "pool", "tracking", "gate", "app")
    kept = [o for o in job.overrides if re.split("[.=]", o)[0] not in own]
    choices = [
        f"{group}={job.choices[group]}"
        for group in ("dataset", "scorers", "provider")
        if group in job.choices
    ]
    path = job.config["dataset"]["path"]
    if not path.startswith(MLFLOW):
        path = str(project / path)
    kept = [*kept, f"dataset.path='{path}'", f"app={job.config['app']}"]
    if cassette := job.config["provider"].get("cassette"):
        kept.append(f"provider.cassette='{project / cassette}'")
    return (*choices, *kept)


def _build(settings: Settings, number: int) -> Plan:
    """The job's plan; its version is named once all agents are imported."""
    job, variant = settings.jobs[number], settings.variants[number]
    where = f"agent={job.choices['agent']}"
    node = _with_prompt(job.config["agent"], settings.project)
    if "_target_" not in node:
        raise ConfigError(f"{where}: has no _target_. Name the agent: _target_: agents.module.Name")
    settings.builder.check_source(node, where)
    dataset = _load_dataset(job, settings)
    yardstick = build_scorers(job, settings.builder)
    agent = settings.builder.build(node, where)  # last: its imports take longest
    for case in dataset.cases:
        refuse_inputs(agent, case.inputs, f"{where}: case {case.id!r} of {dataset.name}")
    return Plan(
        version=Version(
            name="",
            app=job.config["app"],
            variant=replace(variant, params=scrub(node)),
        ),
        agent=agent,
        dataset=dataset,
        scorers=yardstick.scorers,
        cards=yardstick.cards,
        answerer=settings.provider.answerer,
        repeats=job.config["repeats"],
        seed=job.config["seed"],
        pairwise=yardstick.pairwise,
        known_bad=yardstick.known_bad,
        outcomes=settings.outcomes,
    )


def _with_prompt(agent: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """The agent's node with the text of its prompt, where that is a template file."""
    node = dict(agent)
    values = node.pop("prompt_values", None) or {}
    prompt = node.get("prompt")
    if isinstance(prompt, str) and prompt.endswith(".j2"):
        node["prompt"] = prompts.render(project / prompt, values, folder=project)
    elif values:
        raise ConfigError(
            "agent.prompt_values: only a template has values. Name one: agent.prompt=….j2"
        )
    return node


def _load_dataset(job: Job, settings: Settings) -> Dataset:
    dataset = job.config["dataset"]
    path, name, limit = dataset["path"], dataset["name"], dataset["limit"]
    if not path.startswith(MLFLOW):
        return datasets.load(Path(path), name=name, limit=limit)
    if settings.tracker is None:
        raise ConfigError(f"dataset.path={path}: needs the MLflow store. Set tracking=mlflow")
    recorded = path.removeprefix(MLFLOW)
    rows = settings.tracker.dataset(recorded)
    return datasets.build(enumerate(rows, 1), name=name or recorded, where=path, limit=limit)
