"""Spans of agents that trace themselves, kept in memory while cases run.

MLflow would write every trace as it ends, 50 ms of CPU each and on the hot path, and could not
know which version a trace belongs to when cases of several interleave. In its stead this module
keeps what MLflow's own span processor gathers, under one root span a case. The provider and its
processor are not documented API: this module is the only one that touches them.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from vcmp.tracking.environment import quiet
from vcmp.tracking.spans import TRACE_METADATA, TRACE_TAGS

Spans = tuple[Mapping[str, Any], ...]
CHANGES = ("set", "reset")
"""Methods of MLflow's provider that would replace it."""
KEPT_METADATA = ("mlflow.trace.session", "mlflow.trace.user")
"""What an agent may say of its trace, beside its own keys."""


class Capture:
    """Catches all MLflow spans while it is open; those outside of a case are dropped.

    Agents that have disabled tracing stay untraced.
    """

    def __init__(self) -> None:
        self._kept = _Kept()
        self._provider: Any = None
        self._before: Any = None

    def __enter__(self) -> Self:
        from mlflow.tracing.provider import is_tracing_enabled, provider

        with quiet():
            # else the first span imports it: seconds on the hot path, and a warning on the screen
            importlib.import_module("mlflow.pyfunc")
        if is_tracing_enabled():
            self._before = provider.get()
            self._provider = _build_provider(self._kept)
            self._install()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from mlflow.environment_variables import MLFLOW_USE_DEFAULT_TRACER_PROVIDER
        from mlflow.tracing.provider import provider

        if self._provider is None:
            return
        for change in CHANGES:
            delattr(provider, change)
        provider.reset()  # MLflow makes a new one, for its own store, when it needs it
        if not MLFLOW_USE_DEFAULT_TRACER_PROVIDER.get():
            provider.set(self._before)  # it is the whole process's, not MLflow's
        self._provider = self._before = None

    @contextmanager
    def case(
        self, version: str, case_id: str, inputs: Mapping[str, Any]
    ) -> Iterator[Callable[[], Spans]]:
        """Open the one trace of a case.

        It follows the case through tasks, and through threads that run in a copied context.

        Yields:
            A callable that gives, once the block has ended, the trace's spans as
            `mlflow.entities.Span.to_dict` does; () when the agent made none.
        """
        import mlflow

        spans: list[Mapping[str, Any]] = []
        if self._provider is None:
            yield lambda: ()
            return
        root = None
        try:
            with mlflow.start_span(name=version, span_type="AGENT") as root:
                root.set_inputs(dict(inputs))
                root.set_attribute("vcmp.case_id", case_id)
                self._kept.expect(root.trace_id)
                yield lambda: tuple(spans)
        finally:
            if root is not None:
                spans += self._kept.take(root.trace_id)

    def _install(self) -> None:
        """Put our provider in place, and let nothing an agent sets up take it away: setting an
        experiment or switching autologging on in one case would lose the spans of all others."""
        from mlflow.tracing.provider import provider

        provider.once.do_once(lambda: None)  # else the first span would make MLflow's own
        provider.set(self._provider)
        for change in CHANGES:
            setattr(provider, change, lambda *_: None)


class _Kept:
    """A span exporter that keeps the traces it was told to expect."""

    def __init__(self) -> None:
        self._traces: dict[str, Any] = {}

    def expect(self, trace_id: str) -> None:
        self._traces[trace_id] = None

    def take(self, trace_id: str) -> list[dict[str, Any]]:
        trace = self._traces.pop(trace_id, None)
        if trace is None or len(trace.data.spans) < 2:
            return []
        return _to_dicts(trace)

    def export(self, spans: Any) -> None:
        from mlflow.tracing.trace_manager import InMemoryTraceManager

        for span in spans:
            if span.parent is None:
                popped = InMemoryTraceManager.get_instance().pop_trace(span.context.trace_id)
                if popped and popped.trace.info.trace_id in self._traces:
                    self._traces[popped.trace.info.trace_id] = popped.trace

    def shutdown(self) -> None:
        self._traces.clear()


def _build_provider(kept: _Kept) -> Any:
    from mlflow.tracing.processor.mlflow_v3 import MlflowV3SpanProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.get_empty(), id_generator=_id_generator())
    provider.add_span_processor(MlflowV3SpanProcessor(kept, False))
    return provider


def _id_generator() -> Any:
    """Ids that differ even between agents that seed `random` for every case."""
    import random

    from opentelemetry.sdk.trace.id_generator import IdGenerator

    source = random.SystemRandom()

    class SystemIds(IdGenerator):
        def generate_span_id(self) -> int:
            return source.randrange(1, 2**64)

        def generate_trace_id(self) -> int:
            return source.randrange(1, 2**128)

    return SystemIds()


def _to_dicts(trace: Any) -> list[dict[str, Any]]:
    """A trace's spans; what the agent said of the whole trace goes with the root."""
    spans = [span.to_dict() for span in trace.data.spans]
    tags = {key: v for key, v in trace.info.tags.items() if not key.startswith("mlflow.")}
    metadata = {
        key: v
        for key, v in trace.info.trace_metadata.items()
        if key in KEPT_METADATA or not key.startswith("mlflow.")
    }
    for span in spans:
        if span["parent_span_id"] is None:
            span["attributes"] |= {
                TRACE_TAGS: json.dumps(tags),
                TRACE_METADATA: json.dumps(metadata),
            }
    return spans
