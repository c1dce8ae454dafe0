import logging
import os
import re
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_propagator = TraceContextTextMapPropagator()
_exporting = False

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


@contextmanager
def joined(incoming: str | None, name: str, kind: SpanKind = SpanKind.SERVER) -> Generator[None]:
    """Work within the caller's trace; a span is recorded only where spans are exported."""
    parent = incoming if incoming and _TRACEPARENT.match(incoming) else new_traceparent()
    if not _exporting:
        token = _current.set(parent)
        try:
            yield
        finally:
            _current.reset(token)
        return
    context = _propagator.extract({"traceparent": parent} if parent == incoming else {})
    with trace.get_tracer("sidecart").start_as_current_span(name, context=context, kind=kind):
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        token = _current.set(carrier.get("traceparent", parent))
        try:
            yield
        finally:
            _current.reset(token)


def start(service: str, level: str) -> None:
    """Log as JSON lines on standard output, and export spans where `OTEL_EXPORTER_OTLP_ENDPOINT` says to."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stdout, format='{"level":"%(levelname)s","event":"%(message)s"}'
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _name(service),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
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
