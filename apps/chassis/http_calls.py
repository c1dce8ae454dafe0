"""What calls through a sidecar by HTTP have in common."""

from typing import Any

import aiohttp
import orjson

from apps.chassis import telemetry


def trace_configs() -> list[aiohttp.TraceConfig] | None:
    """Return what names the trace in each request, a client library's as well; it costs, so only where spans go out."""
    if not telemetry.exporting():
        return None
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_name_trace)
    return [config]


async def _name_trace(_session: aiohttp.ClientSession, _context: Any, request: aiohttp.TraceRequestStartParams) -> None:
    if current := telemetry.traceparent():
        request.headers["traceparent"] = current


def complaint(answer: bytes) -> str:
    """Return what the sidecar says went wrong."""
    try:
        return str(orjson.loads(answer)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return answer.decode(errors="replace")


def is_shed(answer: bytes) -> bool:
    """Tell whether the sidecar's breaker answered: this call went nowhere, though one that it repeated may have."""
    return b"circuit breaker is open" in answer
