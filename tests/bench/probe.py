"""A small app beside a sidecar of its own, and an edge of its own before both, under the running system's Sentry.

Everything is the system's own configuration with the app-ids exchanged, in a folder that only these sidecars watch.
"""

import os
import socket
import sys
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import yaml

from stack import runtime, secrets_file, topology
from stack.home import CHECKOUT, Home
from stack.services import Services
from tests.support import children
from tests.support.system import wait_for
from tests.support.visitor import stop

PROBE, EDGE = "probe", "probe-edge"
READY_S = 60


class Probe:
    """`with Probe(home) as probe:`; the ports are those of the app, its sidecar's HTTP side and the edge's."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._cleanup = ExitStack()
        self.app, self.sidecar, self.edge = free_ports(3)

    def __enter__(self) -> Self:
        try:
            folder = Path(self._cleanup.enter_context(TemporaryDirectory(prefix="sidecart-bench-", dir="/tmp")))
            copy_resources(self._home, folder)
            log = self._cleanup.enter_context((folder / "log").open("w"))
            self._start([sys.executable, "-m", "tests.bench.probe_app", str(self.app)], dict(os.environ), log)
            await_http(self.app, "/healthz")
            for argv, env in self._sidecars(folder):
                self._start(argv, env, log)
            for port in (self.sidecar, self.edge):
                await_http(port, "/v1.0/healthz")
            await_http(self.edge, f"/v1.0/invoke/{PROBE}/method/hello")
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _sidecars(self, folder: Path) -> list[tuple[list[str], dict[str, str]]]:
        """Return command and environment of both sidecars, as the stack would run them."""
        home, known = self._home, topology.load()
        offset = home.offset
        ports = ("dapr_grpc_port", "dapr_internal_grpc_port", "metrics_port")
        edge = {"app_id": EDGE, "config_file_path": "edge.yaml", "dapr_http_port": self.edge - offset}
        probe = {"app_id": PROBE, "config_file_path": "probe.yaml", "dapr_http_port": self.sidecar - offset}
        probe["app_port"] = self.app - offset
        found: list[tuple[list[str], dict[str, str]]] = []
        secrets = secrets_file.load(home)
        daprd = runtime.resolve().daprd
        for model, changes in (("orders", probe), ("edge", edge)):
            taken = zip(ports, (port - offset for port in free_ports(3)), strict=True)
            app = known.app(model).model_copy(update=changes | dict(taken))
            program = Services(home, known, daprd, secrets).replica(app)[-1]
            moved = {str(home.resources): str(folder / "resources"), str(home.config): str(folder / "config")}
            argv = [_moved(part, moved) for part in program.argv]
            files = {name: Path(path).read_text() for name, path in program.env_from_files.items()}
            found.append((argv, program.env | files))
        return found

    def _start(self, argv: list[str], env: dict[str, str], log: Any) -> None:
        child = children.start(argv, env=env, cwd=CHECKOUT, stdout=log, stderr=log)
        self._cleanup.callback(stop, child)


def copy_resources(home: Home, folder: Path) -> None:
    """Write broker, secrets, the two that keep the door, and configurations, with our app-ids for the services'."""
    resources, config = folder / "resources", folder / "config"
    resources.mkdir()
    config.mkdir()

    def copy(source: Path, target: Path, change: Callable[[Any], None]) -> None:
        document = yaml.safe_load(source.read_text().replace("|notifications)", f"|{PROBE})"))
        change(document)
        target.write_text(yaml.safe_dump(document))

    def broker(document: Any) -> None:
        document["scopes"] = [PROBE]
        fields = document["spec"]["metadata"]
        document["spec"]["metadata"] = [field for field in fields if not field["name"].endswith("Scopes")]

    def subscription(document: Any) -> None:
        document["scopes"] = [PROBE]
        document["spec"] |= {"topic": PROBE, "routes": {"default": "/events/probe"}}
        del document["spec"]["deadLetterTopic"]

    def policies(document: Any) -> None:
        document["scopes"] = [EDGE]
        apps = document["spec"]["targets"]["apps"]
        apps[PROBE] = apps["orders"]

    def callee(document: Any) -> None:
        document["metadata"]["name"] = PROBE
        caller = next(one for one in document["spec"]["accessControl"]["policies"] if one["appId"] == "edge")
        caller |= {"appId": EDGE, "operations": [{"name": "/hello", "httpVerb": ["GET"], "action": "allow"}]}
        document["spec"]["accessControl"]["policies"] = [caller]

    def unlimited(document: Any) -> None:
        document["scopes"] = [EDGE]
        next(it for it in document["spec"]["metadata"] if it["name"] == "maxRequestsPerSecond")["value"] = "1000000"

    def scoped(app_id: str) -> Callable[[Any], None]:
        return lambda document: document.update(scopes=[app_id])

    copy(home.resources / "pubsub.yaml", resources / "pubsub.yaml", broker)
    copy(home.resources / "orders-payment-captured.yaml", resources / "subscription.yaml", subscription)
    copy(home.resources / "secrets.yaml", resources / "secrets.yaml", scoped(PROBE))
    copy(home.resources / "guard.yaml", resources / "guard.yaml", scoped(EDGE))
    copy(home.resources / "rate-limit.yaml", resources / "rate-limit.yaml", unlimited)
    copy(home.resources / "edge-policies.yaml", resources / "edge-policies.yaml", policies)
    copy(home.config / "orders.yaml", config / "probe.yaml", callee)
    copy(home.config / "edge.yaml", config / "edge.yaml", lambda _: None)


def free_ports(count: int) -> list[int]:
    """Return ports of the kernel's choice that nothing listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def get(port: int, path: str) -> bytes:
    """Ask once, around any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        content: bytes = answer.read()
        return content


def await_http(port: int, path: str) -> None:
    """Wait for a 2xx."""

    def answers() -> bool:
        try:
            get(port, path)
        except OSError:
            return False
        return True

    wait_for(answers, f"http://127.0.0.1:{port}{path}", READY_S)


def _moved(part: str, moved: dict[str, str]) -> str:
    for before, after in moved.items():
        part = part.replace(f"={before}", f"={after}")
    return part
