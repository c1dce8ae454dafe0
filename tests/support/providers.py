"""Providers on the far side of a proxy: a lone daprd speaks TLS to their real names, and a server of ours answers."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stack import runtime
from stack.home import CHECKOUT
from tests.support.programs import until
from tests.support.stand_ins import free_port

HOSTS = ("api.twilio.com", "api.sendgrid.com", "api.postmarkapp.com", "email.eu-central-1.amazonaws.com")
FILES = {
    "sendgrid": CHECKOUT / "components/twilio/email.yaml",
    "twilio": CHECKOUT / "components/twilio/sms.yaml",
    "postmark": CHECKOUT / "examples/providers/postmark.yaml",
}
SECRETS = {
    "sendgrid-api-key": "SG.key",
    "postmark-server-token": "server-token",
    "postmark-account-token": "account-token",
    "ses-access-key": "AKIA",
    "ses-secret-key": "secret",
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


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Write an authority, and a certificate of its making for all providers; return authority, certificate, key."""
    now, key, own = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
    base = x509.CertificateBuilder().issuer_name(issuer)
    base = base.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    authority = base.subject_name(issuer).public_key(key.public_key()).serial_number(1)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = base.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS[0])])).serial_number(2)
    leaf = leaf.public_key(own.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
    files = (folder / "authority.pem", folder / "leaf.pem", folder / "leaf.key")
    pem = serialization.Encoding.PEM
    files[0].write_bytes(authority.sign(key, hashes.SHA256()).public_bytes(pem))
    files[1].write_bytes(leaf.sign(key, hashes.SHA256()).public_bytes(pem))
    clear = serialization.NoEncryption()
    files[2].write_bytes(own.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear))
    return files


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
def lone_daprd(folder: Path, world: World, *examples: str) -> Generator[Lone]:
    """Run a daprd with components of those names, whose providers are *world*."""
    authority, certificate, key = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
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
        command = _command(folder, lone.port, examples)
        process = subprocess.Popen(
            command, env=_environment(authority, proxy.server_address[1]), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            until(lone.ready, f"daprd is ready; {folder / 'daprd.log'} says more")
            yield lone
        finally:
            process.terminate()
            process.wait(20)
            provider.shutdown()
            proxy.shutdown()


def _command(folder: Path, http: int, examples: tuple[str, ...]) -> list[str]:
    resources = folder / "resources"
    resources.mkdir()
    for name in examples:
        shutil.copy(FILES[name], resources / f"{name}.yaml")
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
    return kept | {
        "HTTPS_PROXY": f"http://127.0.0.1:{proxy_port}",
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": str(authority),
        "DAPR_HOST_IP": "127.0.0.1",
    }
