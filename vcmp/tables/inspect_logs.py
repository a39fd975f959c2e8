"""Logs of inspect_ai as JSON: one version in each.

`samples` has one entry for each sample and epoch; see
https://inspect.aisi.org.uk/reference/inspect_ai.log.html. inspect takes the time and the tokens of
scoring for the sample's own; only those of a model in the role `grader` can be taken off.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vcmp.errors import ConfigError
from vcmp.tables.logs import (
    Log,
    Origin,
    Run,
    known,
    marks_of,
    name_all,
    number_of,
    refuse_reserved,
)

LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Values of inspect's own scorers: correct, incorrect, partial, no answer."""
TRUTH = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
INPUT = ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")
Sample = Mapping[str, Any]


def is_own(document: Any) -> bool:
    """Whether a JSON document is inspect's."""
    return isinstance(document, Mapping) and isinstance(document.get("eval"), Mapping)


def logs(sources: Sequence[tuple[str, Any]]) -> list[Log]:
    """One log for each file.

    Args:
        sources: Path and content of each file.

    Raises:
        ConfigError: A file has no samples, or a score that is no number.
    """
    origins = [Origin(path=path, traits=_traits(document["eval"])) for path, document in sources]
    return [
        Log(name=name, aliases=origin.aliases, runs=tuple(_runs(path, document)))
        for name, origin, (path, document) in zip(name_all(origins), origins, sources, strict=True)
    ]


def _traits(spec: Mapping[str, Any]) -> dict[str, str]:
    arguments = {**(spec.get("task_args") or {}), **(spec.get("solver_args") or {})}
    named = {key: str(spec.get(key) or "") for key in ("task", "solver", "model")}
    return named | {f"argument {key}": f"{key}_{value}" for key, value in arguments.items()}


def _runs(path: str, document: Mapping[str, Any]) -> Iterator[Run]:
    spec = document["eval"]
    samples = document.get("samples")
    if not samples:
        raise ConfigError(f"{path}: has no samples. Give the whole log, not its head alone.")
    scored_anyway = bool((spec.get("config") or {}).get("score_on_error"))
    seen = set()
    for sample in samples:
        seen.add(str(sample["id"]))
        yield _run(path, sample, scored_anyway)
    for sample_id in map(str, (spec.get("dataset") or {}).get("sample_ids") or []):
        if sample_id not in seen and _is_whole(spec):
            yield Run(case_id=sample_id, repeat=1, failed=None, values={})


def _is_whole(spec: Mapping[str, Any]) -> bool:
    """Whether all samples of the dataset were to be run."""
    config = spec.get("config") or {}
    return config.get("limit") is None and config.get("sample_id") is None


def _run(path: str, sample: Sample, scored_anyway: bool) -> Run:
    scores = dict(_scores(path, sample))
    cluster, tag = marks_of(sample.get("metadata"))
    # a scorer that breaks stops the sample, too, but by then there is an answer and others' scores
    failed = bool(sample.get("error")) and (scored_anyway or not sample.get("scores"))
    invalid = bool(sample.get("invalidation"))
    return Run(
        case_id=str(sample["id"]),
        repeat=int(sample.get("epoch") or 1),
        failed=None if invalid else failed,
        values={} if invalid or failed else {**scores, **_measurements(sample)},
        cluster=cluster,
        tag=tag,
    )


def _scores(path: str, sample: Sample) -> Iterator[tuple[str, float]]:
    """By scorer; one that gives several values has each under `scorer.key`."""
    for scorer, score in (sample.get("scores") or {}).items():
        value = score.get("value")
        parts = {"": value} if not isinstance(value, Mapping) else value
        for key, part in parts.items():
            name = f"{scorer}.{key}" if key else scorer
            refuse_reserved(path, [name])
            number = _number(part)
            if number is not None:
                yield name, number
            elif isinstance(part, str | list):
                raise ConfigError(
                    f"{path}: sample {sample['id']!r} has {part!r} for {name!r}, which is no"
                    " number.\n  Numbers, true and false, and the letters C, I, P and N can be"
                    " compared."
                )


def _number(value: Any) -> float | None:
    if not isinstance(value, str):
        return number_of(value)
    if value in LETTERS:
        return LETTERS[value]
    if value.lower() in TRUTH:
        return TRUTH[value.lower()]
    try:
        return float(value)
    except ValueError:
        return None


def _measurements(sample: Sample) -> dict[str, float]:
    usages = list((sample.get("model_usage") or {}).values())
    judge = (sample.get("role_usage") or {}).get("grader") or {}
    measured: dict[str, Any] = {
        "latency_s": sample.get("working_time") or sample.get("total_time") or None
    }
    if usages:
        spent = sum(_input(usage) for usage in usages) - _input(judge)
        written = sum(usage.get("output_tokens") or 0 for usage in usages)
        measured |= {
            "input_tokens": spent,
            "output_tokens": written - (judge.get("output_tokens") or 0),
            "cost_usd": _cost(usages, judge),
        }
    return known(measured, number_of)


def _input(usage: Mapping[str, Any]) -> int:
    return sum(usage.get(key) or 0 for key in INPUT)


def _cost(usages: Sequence[Mapping[str, Any]], judge: Mapping[str, Any]) -> float | None:
    """Unknown where one model's is."""
    costs: list[Any] = [usage.get("total_cost") for usage in usages]
    if None in costs or (judge and judge.get("total_cost") is None):
        return None
    return float(sum(costs)) - float(judge.get("total_cost") or 0.0)
