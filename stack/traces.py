"""Whether spans go anywhere: `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_TRACES_SAMPLER_ARG` at `sidecart up` say so.

Both are OpenTelemetry's own names. A collector is spoken to by HTTP, the share is of the requests at the edge.
"""

import json
import os
import re
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.home import Home

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SHARE: Final = "OTEL_TRACES_SAMPLER_ARG"
_ADDRESS: Final = re.compile(r"(?P<scheme>https?)://(?P<address>[^/?#]+:\d+)/?")
# As it stands in each Configuration of the checkout.
_OFF: Final = 'samplingRate: "0"'
# At nought a sidecar would pass no trace on. Services have no more than that: they join what the edge began, and what
# they do by themselves, such as publishing a page of an outbox, is no request's.
_LEAST: Final = 0.0000001
_BEGIN: Final = ("edge", "partner")


def remember_given(home: Home) -> None:
    """Keep what the caller's environment says: replicas that other shells start send their spans there too."""
    given = {name: os.environ[name] for name in (_ENDPOINT, _SHARE) if os.environ.get(name)}
    if given.get(_ENDPOINT) and not _ADDRESS.fullmatch(given[_ENDPOINT]):
        raise StackError(f"{_ENDPOINT}={given[_ENDPOINT]}: write http://HOST:PORT, as of a collector's OTLP over HTTP")
    try:
        valid = 0 <= float(given.get(_SHARE, "1")) <= 1
    except ValueError:
        valid = False
    if not valid:
        raise StackError(f"{_SHARE}={given[_SHARE]}: write a share of the requests, from 0 to 1")
    _file(home).write_text(json.dumps(given))


def environment(home: Home) -> dict[str, str]:
    """Return what apps are told; nothing where no collector was named."""
    given = _given(home)
    return given if _ENDPOINT in given else {}


def told(home: Home, app_id: str, configuration: str) -> str:
    """Return a Configuration that sends spans, where a collector was named: a sidecar reads that at its start only."""
    given = _given(home)
    if not (found := _ADDRESS.fullmatch(given.get(_ENDPOINT, ""))):
        return configuration
    share = f"{max(float(given.get(_SHARE, '1')), _LEAST):.7f}" if app_id in _BEGIN else f"{_LEAST:.7f}"
    secure = str(found["scheme"] == "https").lower()
    otel = f'{{endpointAddress: "{found["address"]}", isSecure: {secure}, protocol: http}}'
    return configuration.replace(_OFF, f'samplingRate: "{share}"\n    otel: {otel}')


def _given(home: Home) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_file(home).read_text())
    except FileNotFoundError:
        return {}
    return found


def _file(home: Home) -> Path:
    return home.run / "traces.json"
