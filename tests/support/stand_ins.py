"""Runs a stand-in as the stack does: a process of its own, on ports and in a folder of a test's own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.support import children
from tests.support.programs import until

_CLIENT_TIMEOUT_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class StandIn:
    module: str
    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    proxy_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        ports = ["--port", str(self.port)]
        if self.module == "mailbox":
            ports += ["--smtp-port", str(self.smtp_port)]
        if self.module == "providers":
            ports += ["--proxy-port", str(self.proxy_port)]
        return [sys.executable, "-m", f"stack.stand_ins.{self.module}", *ports, "--data", str(self.data)]

    def start(self) -> None:
        self.process = children.start(self.command(), env={**os.environ, **self.environment})
        until(self.healthy, f"{self.module} is ready")

    def complaint(self) -> str:
        """Start where that must fail, and return what is said about it."""
        done = subprocess.run(self.command(), capture_output=True, text=True, timeout=_CLIENT_TIMEOUT_S, check=False)
        assert done.returncode != 0
        return done.stderr

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()

    def healthy(self) -> bool:
        with suppress(OSError):
            return self.call("GET", "/healthz").status == 200
        return False

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 0
    ) -> Reply:
        """Send one request; *body* is JSON unless it is bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout or _CLIENT_TIMEOUT_S)
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        try:
            connection.request(method, path, content, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def faults(self, **fields: Any) -> None:
        assert self.call("PUT", "/faults", fields).status == 200

    def messages(self, query: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.call("GET", f"/messages{query}").json()["items"]
        return items

    def fresh(self) -> None:
        """Forget messages and faults of the test before."""
        self.call("DELETE", "/faults")
        self.call("DELETE", "/messages")


@contextmanager
def running(module: str, data: Path, **environment: str) -> Generator[StandIn]:
    one = StandIn(module, data, environment)
    try:
        one.start()
        yield one
    finally:
        one.stop()
