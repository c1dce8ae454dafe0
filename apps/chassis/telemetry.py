import logging
import os
import re
import secrets
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from apps.chassis.anonymous import names_nobody

_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_propagator = TraceContextTextMapPropagator()
_exporting = False
_TRACER = "sidecart"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def traceparent() -> str | None:
    """Return the W3C trace context of the work in hand."""
    return _current.get()


def trace_id() -> str | None:
    """Return the 32 hex digits that name the trace in hand."""
    current = _current.get()
    return current.split("-")[1] if current else None


def new_traceparent() -> str:
    """Begin a trace of our own, unsampled: used where no caller brought one."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def exporting() -> bool:
    """Tell whether this process sends spans."""
    return _exporting


def sampled(incoming: str | None) -> bool:
    """Tell whether whoever began the trace wants its spans, and this process sends any."""
    return bool(_exporting and incoming and _TRACEPARENT.match(incoming) and int(incoming[-2:], 16) & 1)


def kept(incoming: str | None) -> str | None:
    """Return *incoming* where it is worth keeping beside a record: whoever takes that up goes on with the trace."""
    return incoming if sampled(incoming) else None


@contextmanager
def within(current: str | None) -> Generator[None]:
    """Work within a trace without a span of one's own."""
    token = _current.set(current)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def joined(incoming: str | None, name: str, kind: SpanKind = SpanKind.SERVER) -> Generator[Span]:
    """Work within the caller's trace, in a span of one's own where it is sampled; nobody begins one here."""
    if not sampled(incoming):
        known = incoming and _TRACEPARENT.match(incoming)
        with within(incoming if known else new_traceparent()):
            yield INVALID_SPAN
        return
    with (
        trace.get_tracer(_TRACER).start_as_current_span(name, context=_context(incoming), kind=kind) as span,
        within(_traceparent_of(span)),
    ):
        yield span


@contextmanager
def resumed(stored: str | None, name: str, kind: SpanKind = SpanKind.INTERNAL) -> Generator[None]:
    """Go on with the trace that was kept beside a record, if one was."""
    if stored is None:
        yield
        return
    with joined(stored, name, kind):
        yield


@contextmanager
def spread(parents: Sequence[str | None], name: str, kind: SpanKind) -> Generator[list[str | None]]:
    """Work for several traces at once, a span in each that is sampled; gives where each goes on from here."""
    tracer = trace.get_tracer(_TRACER)
    spans = [
        tracer.start_span(name, context=_context(parent), kind=kind) if sampled(parent) else None for parent in parents
    ]
    try:
        yield [_traceparent_of(span) if span else parent for span, parent in zip(spans, parents, strict=True)]
    finally:
        for span in spans:
            if span:
                span.end()


def _context(incoming: str | None) -> Context:
    return _propagator.extract({"traceparent": incoming or ""}, context=Context())


def _traceparent_of(span: Span) -> str:
    at = span.get_span_context()
    return f"00-{at.trace_id:032x}-{at.span_id:016x}-{int(at.trace_flags):02x}"


def start(service: str, level: str) -> None:
    """Log as JSON lines on standard output, and export spans where `OTEL_EXPORTER_OTLP_ENDPOINT` says to."""
    known: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _name(service),
    ]
    written: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        names_nobody,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*known, *written],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    # libraries log in Python's own way
    handler = logging.StreamHandler(sys.stdout)
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=known, processors=[meta, *written]))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        _export_spans(service)


def _name(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        if current := trace_id():
            event["trace_id"] = current
        return event

    return add


def _export_spans(service: str) -> None:
    # imported here: the SDK costs memory that a system without a collector need not pay
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    global _exporting  # noqa: PLW0603  # decided once, at start
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _exporting = True
