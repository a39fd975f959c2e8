"""A version's traces in numbers, from what MLflow holds alone.

The traces need not be vcmp's: those of an agent in service count too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from vcmp.metrics import quantile, text_of
from vcmp.tracking.catalog import RecordedVersion, find_version
from vcmp.tracking.sessions import Session, pages
from vcmp.tracking.traces import RECORDED

PAGE = 200
RUN = "mlflow.sourceRun"
WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "pass": 1.0, "fail": 0.0}
"""What judges that answer in words mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentSummary:
    """All feedback of one name."""

    mean: float | None
    """Over the traces that have a value; None when none has one that is a number."""
    scored: int
    asked: int
    """Traces with this feedback, those where it failed included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """The traces of one version. Latency and length leave failed ones out, as metrics do."""

    version: RecordedVersion
    traces: int
    """Traces summed up: of the newest complete evaluation, or all when vcmp made none."""
    errors: int
    evaluations: int = 0
    """Evaluations that left traces of this version."""
    traces_altogether: int = 0
    """All traces of this version, of every evaluation and of the agent in service."""
    latency_s: Mapping[str, float] = field(default_factory=dict)
    """mean, min, max, p50, p95 and p99 in seconds; empty when unknown or scripted."""
    tokens_mean: Mapping[str, float] = field(default_factory=dict)
    """input_tokens and output_tokens of the traces that answered; what is unknown is absent."""
    tokens_total: Mapping[str, int] = field(default_factory=dict)
    """Of all traces that state them, failed ones included."""
    output_chars_mean: float | None = None
    assessments: Mapping[str, AssessmentSummary] = field(default_factory=dict)

    @property
    def error_rate(self) -> float | None:
        """Share of traces that failed; None without traces."""
        return self.errors / self.traces if self.traces else None


def show(session: Session, version: str) -> TraceSummary:
    """Sum up the traces that are linked to a version.

    Raises:
        TrackingError: No such version is recorded.
    """
    found = find_version(session, version)
    runs = [
        trace.info.trace_metadata.get(RUN, "") for trace in _traces(session, found, spans=False)
    ]
    newest = (
        f"request_metadata.`{RUN}` = '{found.run_id}'"
        if found.run_id and found.run_id in runs
        else None
    )
    return replace(
        summarize(found, list(_traces(session, found, newest))),
        evaluations=len({run for run in runs if run}),
        traces_altogether=len(runs),
    )


def _traces(
    session: Session, version: RecordedVersion, filter_string: str | None = None, spans: bool = True
) -> Iterator[Any]:
    return pages(
        lambda token: session.client.search_traces(
            locations=[session.experiment_id],
            model_id=None if filter_string else version.model_id,  # MLflow takes either
            filter_string=filter_string,
            include_spans=spans,
            max_results=PAGE,
            page_token=token,
        )
    )


def summarize(version: RecordedVersion, traces: list[Any]) -> TraceSummary:
    """Sum up MLflow traces."""
    answered = [trace for trace in traces if trace.info.state != "ERROR"]
    latencies = [
        trace.info.execution_duration / 1000
        for trace in answered
        if trace.info.execution_duration and RECORDED not in trace.info.tags
    ]
    lengths = [len(text_of(_output(trace))) for trace in answered]
    return TraceSummary(
        version=version,
        traces=len(traces),
        errors=len(traces) - len(answered),
        latency_s={} if version.scripted else _spread(latencies),
        tokens_mean={name: fmean(counts) for name, counts in _tokens(answered).items()},
        tokens_total={name: sum(counts) for name, counts in _tokens(traces).items()},
        output_chars_mean=fmean(lengths) if lengths else None,
        assessments=_assessments(traces),
    )


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    quantiles = {f"p{p}": quantile(seconds, p / 100) for p in (50, 95, 99)}
    return {"mean": fmean(seconds), "min": min(seconds), "max": max(seconds), **quantiles}


def _output(trace: Any) -> Any:
    root = next((span for span in trace.data.spans if span.parent_id is None), None)
    return root.outputs if root else None


def _tokens(traces: list[Any]) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = {}
    for trace in traces:
        usage = trace.info.token_usage or {}
        for name in ("input_tokens", "output_tokens"):
            if name in usage:
                counts.setdefault(name, []).append(usage[name])
    return counts


def _assessments(traces: Iterable[Any]) -> dict[str, AssessmentSummary]:
    values: dict[str, list[float | None]] = {}
    scored: dict[str, int] = {}
    for trace in traces:
        for assessment in trace.info.assessments:
            if assessment.feedback is None or assessment.valid is False:
                continue
            name, feedback = assessment.name, assessment.feedback
            has_value = feedback.error is None and feedback.value is not None
            scored[name] = scored.get(name, 0) + has_value
            values.setdefault(name, []).append(_number(feedback.value) if has_value else None)
    return {name: _summary(values[name], scored[name]) for name in sorted(values)}


def _summary(values: list[float | None], scored: int) -> AssessmentSummary:
    numbers = [value for value in values if value is not None]
    mean = fmean(numbers) if numbers else None
    return AssessmentSummary(mean=mean, scored=scored, asked=len(values))


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return WORDS.get(value.lower())
    return float(value) if isinstance(value, (int, float)) else None
