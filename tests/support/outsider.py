"""A server that is no app of ours: whatever reaches it went through an open proxy."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Outsider:
    """`with Outsider() as outsider:` listens on a free port and remembers each request line."""

    def __init__(self) -> None:
        seen: list[str] = []

        class Remember(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.requestline)
                self.send_response(200)
                self.end_headers()

            do_POST = do_TRACE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815  # the library's names

            def log_message(self, *_: object) -> None:
                """Say nothing: the test tells."""

        self.seen = seen
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Remember)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
