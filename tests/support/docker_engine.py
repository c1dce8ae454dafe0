"""A Docker engine's API on a socket of its own: as much of it as running one container asks for."""

import json
import re
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]


@dataclass
class Engine:
    """`with Engine(socket) as engine:`; keeps what containers were asked for, and tells what became of them."""

    socket: Path
    containers: dict[str, Json] = field(default_factory=dict[str, Json])
    calls: list[str] = field(default_factory=list[str])

    def __enter__(self) -> Self:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def address_string(self) -> str:
                return "socket"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path, _, query = re.sub(r"^/v[\d.]+", "", self.path).partition("?")
                status, said = engine.handle(self.command, path, query, json.loads(body or b"{}"))
                text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        for verb in ("GET", "POST", "DELETE", "HEAD"):
            setattr(Handler, f"do_{verb}", Handler.answer)

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self._server = Server(str(self.socket), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def handle(self, method: str, path: str, query: str, body: Json) -> tuple[int, Any]:  # noqa: PLR0911 - an API
        """Answer one call."""
        self.calls.append(f"{method} {path}")
        match method, path.strip("/").split("/"):
            case _, ["_ping"]:
                return 200, "OK"
            case "GET", ["version"]:
                return 200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24", "Version": "25.0"}
            case "POST", ["containers", "create"]:
                id_ = f"{len(self.containers):064x}"
                self.containers[id_] = {"asked": body, "status": "created"}
                return 201, {"Id": id_, "Warnings": []}
            case "GET", ["containers", "json"]:
                label = re.search(r"org\.sidecart\.server%3D([\w-]+)", query)
                assert label, query
                of_ours = [id_ for id_, it in self.containers.items() if label[1] in it["asked"]["Labels"].values()]
                return 200, [{"Id": id_} for id_ in of_ours]
            case "GET", ["containers", id_, "json"] if id_ in self.containers:
                it = self.containers[id_]
                return 200, {"Id": id_, "State": {"Status": it["status"]}, "Config": it["asked"], "Image": "sha256:0"}
            case "POST", ["containers", id_, ("start" | "stop") as done]:
                self.containers[id_]["status"] = {"start": "running", "stop": "exited"}[done]
                return 204, None
            case "DELETE", ["containers", id_]:
                self.containers.pop(id_)
                return 204, None
            case "GET", ["images", *_, "json"]:
                return 200, {"Id": "sha256:0", "RepoTags": []}
            case _:
                return 404, {"message": f"no {method} {path} here"}
