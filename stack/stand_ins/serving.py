import argparse
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Closable(HttpToolsProtocol):
    """HTTP whose applications can close the connection instead of answering: `scope["close_connection"]()`."""

    def on_message_begin(self) -> None:
        """Offer the connection's end to the request that begins."""
        super().on_message_begin()
        self.scope["close_connection"] = self.transport.close  # type: ignore[typeddict-unknown-key]


def arguments(name: str, extra_ports: Sequence[str] = ()) -> argparse.Namespace:
    """Parse the command line: `--port`, `--data` and each of *extra_ports*."""
    parser = argparse.ArgumentParser(prog=name, description=f"Stand-in for {name}, on 127.0.0.1")
    for option in ("port", *extra_ports):
        parser.add_argument(f"--{option}", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps what is received")
    return parser.parse_args()


def listen(name: str, port: int) -> socket.socket:
    """Return a socket listening on 127.0.0.1, or exit with one line that says why not."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=1024)
    except (OSError, OverflowError) as error:
        sys.exit(f"{name}: cannot listen on 127.0.0.1:{port}: {error}. Free the port or choose another offset.")


def serve(name: str, app: ASGIApp, listener: socket.socket) -> None:
    """Serve *app* until told to stop; requests that hang are given two seconds then."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Closable,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    print(f"{name}: http on port {listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
