"""Providers on the far side of a proxy: a lone daprd speaks TLS to their real names, and a server of ours answers."""

import contextlib
import os
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import orjson

from stack import component_files, runtime, secrets_file, topology
from stack.home import CHECKOUT
from stack.stand_ins.providers import certificates
from stack.stand_ins.providers.site import HOSTS
from tests.support import children
from tests.support.programs import until
from tests.support.stand_ins import free_port

FILES = {
    "sendgrid": "components/twilio/email.yaml",
    "postmark": "components/postmark/email.yaml",
    "ses": "components/amazon/email.yaml",
    "twilio": "components/twilio/sms.yaml",
    "sns": "components/amazon/sms.yaml",
    "apns": "components/apns/push.yaml",
}
SECRETS = {
    "apns-key-id": "KEY",
    "apns-private-key": secrets_file.signing_key(),
    "apns-team-id": "TEAM",
    "postmark-server-token": "server-token",
    "postmark-account-token": "account-token",
    "sendgrid-api-key": "SG.key",
    "ses-access-key": "AKIA",
    "ses-secret-key": "secret",
    "sns-access-key": "AKIA",
    "sns-secret-key": "secret",
    "twilio-account-sid": "AC123",
    "twilio-auth-token": "auth-token",
}


@dataclass(frozen=True)
class Seen:
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class World:
    """What providers saw, and what the next of them says."""

    seen: list[Seen] = field(default_factory=list)
    status: int = 200
    said: bytes = b"{}"

    def answer(self, status: int, said: bytes) -> None:
        self.status, self.said = status, said


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def do_POST(self) -> None:
        body = self._body()
        told = {name.lower(): value for name, value in self.headers.items()}
        self.world.seen.append(Seen(told["host"], self.path, told, body))
        self.send_response(self.world.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.world.said)))
        self.end_headers()
        self.wfile.write(self.world.said)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        del format, args


class _Proxy(BaseRequestHandler):
    """Answers CONNECT for whatever host, and passes bytes on to our server."""

    port: int

    def handle(self) -> None:
        near: socket.socket = self.request
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += near.recv(1)
        with socket.create_connection(("127.0.0.1", self.port)) as far:
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@dataclass
class Lone:
    """A daprd without an app."""

    port: int

    def bind(self, name: str, data: Any, metadata: Mapping[str, str]) -> tuple[int, str]:
        """Call one of its bindings; return status and complaint."""
        call = orjson.dumps({"operation": "create", "data": data, "metadata": metadata})
        return self._open(f"/v1.0/bindings/{name}", call)

    def ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self._open("/v1.0/healthz", None)[0] < 300
        return False

    def _open(self, path: str, body: bytes | None) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextmanager
def lone_daprd(folder: Path, world: World) -> Generator[Lone]:
    """Run a daprd whose providers are *world*: each component goes by its product's name here."""
    made = certificates.make(folder, HOSTS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"world": world})) as provider,
        ThreadingTCPServer(("127.0.0.1", 0), type("Proxy", (_Proxy,), {"port": provider.server_port})) as proxy,
        (folder / "daprd.log").open("w") as log,
    ):
        proxy.daemon_threads = True
        provider.socket = context.wrap_socket(provider.socket, server_side=True)
        for server in (provider, proxy):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        lone = Lone(free_port())
        command = _command(folder, lone.port)
        process = children.start(
            command, env=_environment(made.authority, proxy.server_address[1]), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            until(lone.ready, f"daprd is ready; {folder / 'daprd.log'} says more")
            yield lone
        finally:
            process.terminate()
            process.wait(20)
            provider.shutdown()
            proxy.shutdown()


def _command(folder: Path, http: int) -> list[str]:
    resources = folder / "resources"
    resources.mkdir()
    for name, path in FILES.items():
        (resources / f"{name}.yaml").write_text(component_files.named((CHECKOUT / path).read_text(), name))
    secrets = folder / "secrets.json"
    secrets.write_bytes(orjson.dumps(SECRETS))
    (resources / "secrets.yaml").write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: secrets}\nspec:\n"
        f"  type: secretstores.local.file\n  version: v1\n  metadata: [{{name: secretsFile, value: {secrets}}}]\n"
    )
    ports = {"dapr-http-port": http, "dapr-grpc-port": free_port(), "dapr-internal-grpc-port": free_port()}
    options = {**ports, "metrics-port": free_port(), "resources-path": resources, "app-id": "notifications"}
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [str(runtime.resolve().daprd), *flags, "--dapr-listen-addresses", "127.0.0.1"]


def _environment(authority: Path, proxy_port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    # as the system's own sidecar has it
    told = {name: str(value) for name, value in topology.load().app("notifications").env.items()}
    return (
        kept
        | told
        | {
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy_port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(authority),
            "AWS_CA_BUNDLE": str(authority),
            "DAPR_HOST_IP": "127.0.0.1",
        }
    )
