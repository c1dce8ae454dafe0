"""Stands in for a collector: takes spans over OTLP/HTTP and keeps them, by trace."""

import gzip
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span: whose it is, and which it hangs from (`""` where it is the first)."""

    service: str
    name: str
    id: str
    parent: str
    attributes: Mapping[str, str]


@dataclass
class Trace:
    """The spans of one trace by id."""

    spans: dict[str, Seen] = field(default_factory=dict)

    def strays(self, root: str) -> list[Seen]:
        """Those that hang from nothing that was seen, *root* aside, which is whoever asked."""
        return [span for span in self.spans.values() if span.parent not in self.spans and span.parent != root]

    def way(self, span: Seen) -> list[str]:
        """The services from the first span down to *span*, each once for as long as it stays there."""
        back, at = [span.service], span
        while above := self.spans.get(at.parent):
            if above.service != back[-1]:
                back.append(above.service)
            at = above
        return back[::-1]

    def find(self, service: str, name: str) -> list[Seen]:
        """The spans of *service* whose names contain *name*."""
        return [span for span in self.spans.values() if span.service == service and name in span.name]


class Collector:
    """`with Collector() as collector:`; `url` is what processes are told."""

    def __enter__(self) -> Self:
        self._traces: dict[str, Trace] = defaultdict(Trace)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def trace(self, id_: str) -> Trace:
        """What has come of one trace so far."""
        with self._lock:
            return Trace(dict(self._traces[id_].spans)) if id_ in self._traces else Trace()

    def ids(self) -> set[str]:
        """The traces of which something has come."""
        with self._lock:
            return set(self._traces)

    def _take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for resource in request.resource_spans:
                service = next(
                    (each.value.string_value for each in resource.resource.attributes if each.key == "service.name"), ""
                )
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    attributes = {each.key: each.value.string_value for each in span.attributes}
                    seen = Seen(service, span.name, span.span_id.hex(), span.parent_span_id.hex(), attributes)
                    self._traces[span.trace_id.hex()].spans[seen.id] = seen

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["content-length"]))
                take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing: tests read what was taken."""

        return Handler
