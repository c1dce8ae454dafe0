"""Toxiproxy, built once from its Go module: links that a test makes slow, mute or shut."""

import hashlib
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stack import runtime_build
from stack.cache import beside, cache_root, once
from stack.failures import failure
from stack.go_toolchain import find_go
from stack.watched import run_watched, to_stderr
from tests.support import children
from tests.support.stand_ins import free_port
from tests.support.system import wait_for

SOURCE = Path(__file__).with_name("toxiproxy")
PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server"
FOREVER: dict[str, int] = {"timeout": 0}


def program() -> Path:
    """Return the built proxy, from the cache when it is there."""
    pins = b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum"))
    entry = cache_root() / "toxiproxy" / hashlib.sha256(pins).hexdigest()[:20]
    return once(entry, lambda part: _build(part, beside(entry, "log")), what="Toxiproxy", progress=to_stderr) / "server"


def _build(part: Path, log: Path) -> None:
    found = re.search(r"^go (\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    assert found
    go = find_go(found[1], to_stderr)
    status = run_watched(
        [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", part / "server", PACKAGE],
        env=runtime_build._environment(),
        cwd=SOURCE,
        log=log,
        on_line=lambda _: None,
        heartbeat=lambda elapsed: to_stderr(f"Toxiproxy: building ({elapsed:.0f} s)"),
    )
    if status != 0:
        raise failure("Building Toxiproxy", log)


@dataclass(frozen=True)
class Link:
    """One connection's way; every trouble ends with its block."""

    proxies: "Proxies"
    name: str
    port: int

    @contextmanager
    def slow(self, seconds: float) -> Generator[None]:
        """Let every answer come that much later."""
        with self._toxic("latency", "downstream", {"latency": int(seconds * 1000)}):
            yield

    @contextmanager
    def mute(self, *, anew: bool = True) -> Generator[None]:
        """Leave it half open: what connects stands, and nothing comes through in either direction.

        Older connections are ended first where they are made *anew* at once: one that the other side closed for being
        idle would show it. gRPC pauses before it connects again, and refuses calls meanwhile.
        """
        with ExitStack() as stack:
            with self.cut() if anew else nullcontext():
                for stream in ("upstream", "downstream"):
                    stack.enter_context(self._toxic("timeout", stream, FOREVER))
            yield

    @contextmanager
    def answers_lost(self) -> Generator[None]:
        """Let requests through and cut the connection when the answer begins."""
        with self._toxic("limit_data", "downstream", {"bytes": 0}):
            yield

    @contextmanager
    def cut(self) -> Generator[None]:
        """End every connection and refuse new ones."""
        self.proxies.call("POST", f"/proxies/{self.name}", {"enabled": False})
        try:
            yield
        finally:
            self.proxies.call("POST", f"/proxies/{self.name}", {"enabled": True})

    @contextmanager
    def _toxic(self, kind: str, stream: str, attributes: dict[str, int]) -> Generator[None]:
        name = f"{kind}-{stream}"
        toxic = {"name": name, "type": kind, "stream": stream, "attributes": attributes}
        self.proxies.call("POST", f"/proxies/{self.name}/toxics", toxic)
        try:
            yield
        finally:
            self.proxies.call("DELETE", f"/proxies/{self.name}/toxics/{name}")


class Proxies:
    """`with Proxies() as proxies:`; `proxies.link(name, port)` leads to that port of this machine."""

    def __init__(self) -> None:
        self._port = free_port()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [str(program()), "-host", "127.0.0.1", "-port", str(self._port)]
        self._child = children.start(command, env={**os.environ, "LOG_LEVEL": "error"}, stdout=subprocess.DEVNULL)
        wait_for(self._ready, "Toxiproxy to be ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child
        self._child.terminate()
        self._child.wait(10)

    def link(self, name: str, upstream: int) -> Link:
        port = free_port()
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream}", "enabled": True}
        self.call("POST", "/proxies", body)
        return Link(self, name, port)

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", method=method, data=content)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            text: bytes = answer.read()
            return text

    def _ready(self) -> bool:
        try:
            self.call("GET", "/version")
        except OSError:
            return False
        return True
