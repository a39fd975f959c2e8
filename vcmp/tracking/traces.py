"""Results as MLflow traces, written in bulk.

`TracingClient` is no documented API, but the fluent one costs three times as much and its exporter
loses traces when many come at once: this module is the only one that uses it.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from vcmp.digests import digest_of
from vcmp.metrics import is_reused, text_of
from vcmp.tracking.sessions import Session
from vcmp.tracking.spans import (
    TRACE_METADATA,
    TRACE_TAGS,
    Span,
    TraceId,
    build_spans,
    clean,
    notes_of,
    token_usage,
)
from vcmp.types import Case, Evaluation, Result, ScorerCard

CHUNK = 100
"""Traces whose spans are written together."""
SERVER_THREADS = 8
ID_LENGTH = 32
PREVIEW = 1000
"""Characters MLflow keeps of a request or response for its lists."""
SCRIPTED_JUDGE = "scripted judge"
RECORDED = "vcmp.recorded"
"""Tag of traces in which a reply was not waited for but played: their duration is no latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the traces of an evaluation belong to."""

    experiment_id: str
    model_id: str
    run_id: str


def write_traces(session: Session, evaluation: Evaluation, link: Link) -> None:
    """Write one trace for each result of the evaluation.

    Traces, spans and assessments have the same ids each time, and MLflow puts what it is given
    over what it has, so they may be written again: none is twice in the store.
    """
    from mlflow.entities import Span as MlflowSpan
    from mlflow.tracing.client import TracingClient

    client = TracingClient(session.store.uri)
    cases = {case.id: case for case in evaluation.dataset.cases}
    version, answerer = evaluation.version, evaluation.answerer
    uncharged = answerer.name if answerer.scripted else ""
    for results in _chunks(evaluation.results):
        spans: list[Span] = []
        infos = []
        for result in results:
            trace_id = TraceId.of(link.run_id, result.case_id, result.repeat)
            case = cases[result.case_id]
            spans += build_spans(
                result, case, name=version.app, trace_id=trace_id, uncharged=uncharged
            )
            infos.append(_build_info(evaluation, result, case, link, trace_id))
        # infos first: what they say of times and tokens then stands, whatever the spans add up
        _start_all(client, infos, SERVER_THREADS if session.store.served else 1)
        client.log_spans(link.experiment_id, [MlflowSpan.from_dict(span) for span in spans])


def _start_all(client: Any, infos: Sequence[Any], n_threads: int) -> None:
    """Start the traces; after the first failure no further one is tried, each would take long."""
    pool = ThreadPoolExecutor(n_threads)
    try:
        for started in [pool.submit(client.start_trace, info) for info in infos]:
            started.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(results: tuple[Result, ...]) -> Iterator[tuple[Result, ...]]:
    for start in range(0, len(results), CHUNK):
        yield results[start : start + CHUNK]


def _build_info(
    evaluation: Evaluation, result: Result, case: Case, link: Link, trace_id: TraceId
) -> Any:
    """The trace's `TraceInfo`, its assessments included."""
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    assessments = [
        *_feedback(evaluation, result, link.run_id),
        *_expectations(case, evaluation.dataset.name),
    ]
    for place, assessment in enumerate(assessments):
        assessment.assessment_id = f"a-{digest_of([trace_id.name, place])[:ID_LENGTH]}"
    return TraceInfo(
        trace_id=trace_id.name,
        trace_location=TraceLocation.from_experiment_id(link.experiment_id),
        request_time=round(result.started_s * 1000),
        execution_duration=round(result.latency_s * 1000),
        state=TraceState.ERROR if result.error else TraceState.OK,
        request_preview=_preview(case.inputs),
        response_preview=_preview(result.error or result.output),
        trace_metadata=_metadata(evaluation, result, link),
        tags=_tags(evaluation, result),
        assessments=assessments,
    )


def _preview(value: Any) -> str:
    text = text_of(clean(value))
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


def _metadata(evaluation: Evaluation, result: Result, link: Link) -> dict[str, str]:
    usage = result.usage
    tokens = token_usage(usage.input_tokens, usage.output_tokens)
    metadata = {
        **notes_of(result, TRACE_METADATA),
        "mlflow.modelId": link.model_id,
        "mlflow.sourceRun": link.run_id,
        "mlflow.trace_schema.version": "3",
    }
    if tokens:
        metadata["mlflow.trace.tokenUsage"] = json.dumps(tokens)
    if usage.cost_usd is not None and not evaluation.answerer.scripted:
        metadata["mlflow.trace.cost"] = json.dumps({"total_cost": usage.cost_usd})
    return metadata


def _tags(evaluation: Evaluation, result: Result) -> dict[str, str]:
    tags = {
        "mlflow.traceName": evaluation.version.app,
        "mlflow.trace.spansLocation": "TRACKING_STORE",
        "vcmp.case_id": result.case_id,
        "vcmp.repeat": str(result.repeat),
        "vcmp.variant": evaluation.version.variant.name,
        "vcmp.answered_by": evaluation.answerer.name,
        **({RECORDED: "true"} if is_reused(result) else {}),
    }
    return {**notes_of(result, TRACE_TAGS), **clean(tags)}


def _feedback(evaluation: Evaluation, result: Result, run_id: str) -> Iterator[Any]:
    """One assessment for each scorer.

    A failed agent has no scores, but counts as the worst: MLflow averages the assessments it sees,
    and a version that fails on the hard cases would look better there than it is.
    """
    from mlflow.entities import AssessmentError, AssessmentSource, Feedback

    for name, card in evaluation.scorers.items():
        score = result.scores.get(name)
        value = result.value(name)
        error = None
        if value is None:
            message = score.error if score and score.error else "not scored"
            error = AssessmentError(error_code="UNSCORED", error_message=clean(message))
        rationale = f"the agent failed: {result.error}" if result.error else ""
        kind, source = ("CODE", "vcmp") if result.error else _source(card, evaluation)
        yield Feedback(
            name=clean(name),
            value=value,
            error=error,
            source=AssessmentSource(source_type=kind, source_id=source),
            rationale=clean(rationale or (score.rationale if score else "")) or None,
            metadata={
                "mlflow.assessment.sourceRunId": run_id,
                "mlflow.assessment.scorerDigest": card.digest,
            },
        )


def _source(card: ScorerCard, evaluation: Evaluation) -> tuple[str, str]:
    """Who judged, as MLflow's kind of source and its id; rules never pass for a model."""
    if not card.judge:
        return "CODE", "vcmp"
    if evaluation.answerer.scripted:
        return "CODE", SCRIPTED_JUDGE
    return "LLM_JUDGE", card.model or "unknown model"


def _expectations(case: Case, dataset: str) -> Iterator[Any]:
    from mlflow.entities import AssessmentSource, Expectation

    source = AssessmentSource(source_type="HUMAN", source_id=clean(dataset))
    for name, value in case.expectations.items():
        if value is not None:
            yield Expectation(name=clean(name), value=clean(value), source=source)
