"""One result as the spans of a trace, in the form of `mlflow.entities.Span.to_dict`.

The root is the agent's work on the case. Below it are the spans the agent made itself, or, where
those say nothing of models, one for each of its calls.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from vcmp.calls import Call
from vcmp.digests import digest_of
from vcmp.types import Case, Result

TRACE_TAGS = "vcmp.traceTags"
"""Attribute of a captured root span: the tags the agent gave its trace, as JSON."""
TRACE_METADATA = "vcmp.traceMetadata"

MODEL_SPANS = ('"CHAT_MODEL"', '"LLM"', '"EMBEDDING"')
Span = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TraceId:
    """A trace's id, in the three spellings MLflow uses."""

    content: bytes
    """16 bytes."""

    @classmethod
    def of(cls, run_id: str, case_id: str, repeat: int) -> Self:
        """The id of a result in a run: the same each time, so that a trace that is written again,
        after the store had failed in the middle, is the same trace."""
        return cls(_bytes_of([run_id, case_id, repeat], 16))

    @property
    def name(self) -> str:
        """As traces are called in MLflow."""
        return f"tr-{self.content.hex()}"

    @property
    def encoded(self) -> str:
        """As it stands in a span."""
        return base64.b64encode(self.content).decode()

    def span_id(self, place: int) -> str:
        """The id of the span that vcmp makes at this place, 0 being the root."""
        return base64.b64encode(_bytes_of([self.name, place], 8)).decode()

    @property
    def attribute(self) -> dict[str, str]:
        """What ties a span to its trace."""
        return {"mlflow.traceRequestId": json.dumps(self.name)}


def _bytes_of(value: Any, length: int) -> bytes:
    return bytes.fromhex(digest_of(value))[:length]


def build_spans(
    result: Result, case: Case, *, name: str, trace_id: TraceId, uncharged: str = ""
) -> list[Span]:
    """The spans of a result under the trace's id; the root, called `name`, is the first.

    `uncharged` names who answered without
    a charge: under the name of the model that was asked for, MLflow would work out a price.
    """
    captured: list[Span] = [clean(dict(span)) for span in result.trace]
    own = next((span for span in captured if not span["parent_span_id"]), None)
    root = _root(result, case, name, trace_id)
    if own is not None:
        # what the agent noted on the case's span stays, what vcmp knows better wins
        notes = dict(own["attributes"])
        for attribute in (TRACE_TAGS, TRACE_METADATA):
            notes.pop(attribute, None)
        root |= {"span_id": own["span_id"], "attributes": notes | root["attributes"]}
    children = [_adopt(span, root, trace_id) for span in captured if span is not own]
    if not any(span["attributes"].get("mlflow.spanType") in MODEL_SPANS for span in children):
        children += [
            _call_span(call, root, trace_id, place) for place, call in enumerate(result.calls, 1)
        ]
    if uncharged:
        for span in children:
            span["attributes"] = _unpriced(span["attributes"], uncharged)
    ends = [root["end_time_unix_nano"], *(span["end_time_unix_nano"] for span in children)]
    return [root | {"end_time_unix_nano": max(ends)}, *children]


def notes_of(result: Result, attribute: str) -> dict[str, str]:
    """Tags (`TRACE_TAGS`) or metadata (`TRACE_METADATA`) that the agent gave its own trace."""
    for span in result.trace:
        if attribute in span["attributes"]:
            return dict(clean(json.loads(span["attributes"][attribute])))
    return {}


def clean(value: Any) -> Any:
    """`value` without the characters databases refuse: NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value


def dump(value: Any) -> str:
    """A span attribute: MLflow keeps every value as JSON."""
    return json.dumps(clean(value), ensure_ascii=False, default=str)


def _root(result: Result, case: Case, name: str, trace_id: TraceId) -> Span:
    return _span(
        name,
        "AGENT",
        trace_id,
        place=0,
        start_s=result.started_s,
        length_s=result.latency_s,
        error=result.error,
        attributes={
            "mlflow.spanInputs": dump(case.inputs),
            "mlflow.spanOutputs": dump(result.output),
        },
    )


def _call_span(call: Call, root: Span, trace_id: TraceId, place: int) -> Span:
    facts = {
        "mlflow.llm.model": call.model or call.requested_model,
        "mlflow.message.format": "openai",
        "mlflow.chat.tokenUsage": token_usage(call.input_tokens, call.output_tokens),
        "vcmp.requested_model": call.requested_model,
        "vcmp.finish": call.finish,
        "vcmp.attempts": call.attempts,
        "vcmp.cost_usd": call.cost_usd,
    }
    span = _span(
        call.api or "model",
        "EMBEDDING" if "embedding" in call.api else "CHAT_MODEL",
        trace_id,
        place=place,
        start_s=call.started_s + call.waited_s,
        length_s=call.latency_s,
        error=call.error,
        attributes={
            "mlflow.spanInputs": dump(call.request),
            "mlflow.spanOutputs": dump(call.response),
            **{key: dump(fact) for key, fact in facts.items() if fact not in (None, "", {})},
        },
    )
    return span | {"parent_span_id": root["span_id"]}


def _unpriced(attributes: Mapping[str, Any], answered_by: str) -> dict[str, Any]:
    kept = {key: value for key, value in attributes.items() if key != "mlflow.llm.cost"}
    if "mlflow.chat.tokenUsage" in kept:
        kept["mlflow.llm.model"] = dump(answered_by)
    return kept


def token_usage(input_tokens: int | None, output_tokens: int | None) -> dict[str, int]:
    """Token counts under MLflow's names; what is unknown is left out."""
    counts = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    known = {name: count for name, count in counts.items() if count is not None}
    if len(known) == 2:
        known["total_tokens"] = sum(known.values())
    return known


def _adopt(span: Span, root: Span, trace_id: TraceId) -> Span:
    """A captured span in its new trace; one that never ended, ends with the case."""
    return span | {
        "trace_id": trace_id.encoded,
        "parent_span_id": span["parent_span_id"] or root["span_id"],
        "end_time_unix_nano": span["end_time_unix_nano"] or root["end_time_unix_nano"],
        "attributes": span["attributes"] | trace_id.attribute,
    }


def _span(
    name: str,
    kind: str,
    trace_id: TraceId,
    *,
    place: int,
    start_s: float,
    length_s: float,
    error: str,
    attributes: Mapping[str, str],
) -> Span:
    start, length = round(start_s * 1e9), round(length_s * 1e9)
    error = clean(error)
    return {
        "trace_id": trace_id.encoded,
        "span_id": trace_id.span_id(place),
        "parent_span_id": None,
        "name": clean(name),
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + length,
        "events": list(_events(error, start + length)),
        "status": {
            "code": "STATUS_CODE_ERROR" if error else "STATUS_CODE_OK",
            "message": error,
        },
        "attributes": {**attributes, "mlflow.spanType": dump(kind), **trace_id.attribute},
        "links": [],
    }


def _events(error: str, at_ns: int) -> Iterable[Span]:
    """A failure, in the way OpenTelemetry notes an exception."""
    if error:
        kind = error.partition(":")[0]
        facts = {
            "exception.type": kind if kind.isidentifier() else "Exception",
            "exception.message": error,
        }
        yield {"name": "exception", "time_unix_nano": at_ns, "attributes": facts}
