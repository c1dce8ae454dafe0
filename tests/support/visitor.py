"""A sidecar of a client's own beside a running system: under any app-id, with no app and no guard."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import yaml

from stack import runtime, secrets_file, topology
from stack.home import CHECKOUT, Home
from stack.program import Program
from stack.services import Services
from tests.support import children
from tests.support.stand_ins import free_port
from tests.support.system import System, wait_for
from tests.support.wire import ask

PORTS = ("dapr_http_port", "dapr_grpc_port", "dapr_internal_grpc_port", "metrics_port")
STOP_S = 10
# By itself a sidecar repeats a refusal three times, a second apart.
ONCE = """
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata:
  name: once
spec:
  policies:
    retries:
      DefaultAppRetryPolicy: {policy: constant, duration: 1ms, maxRetries: 0}
  targets: {}
"""


class Visitor:
    """`with Visitor(system, "partner") as visitor:`; its HTTP API listens on `visitor.port`."""

    def __init__(self, system: System, app_id: str) -> None:
        self.app_id = app_id
        self._home = Home(system.root, system.offset)
        self._cleanup = ExitStack()
        self._ports = dict(zip(PORTS, [free_port() for _ in PORTS], strict=True))

    @property
    def port(self) -> int:
        return self._ports["dapr_http_port"]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="sidecart-visitor-", dir="/tmp")))
            program = self._program(folder)
            files = {name: Path(path).read_text() for name, path in program.env_from_files.items()}
            log = stack.enter_context((folder / "log").open("w+"))
            child = children.start(
                program.argv, env={**os.environ, **program.env, **files}, cwd=CHECKOUT, stdout=log, stderr=log
            )
            stack.callback(stop, child)
            wait_for(lambda: self._ready(child, folder / "log"), f"the sidecar of {self.app_id} to be ready", 60)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _program(self, folder: Path) -> Program:
        """Return the edge's sidecar under another name, with nothing that the edge's configuration closes."""
        known = topology.load()
        changes: dict[str, Any] = {name: port - self._home.offset for name, port in self._ports.items()}
        app = known.app("edge").model_copy(update={"app_id": self.app_id, **changes})
        services = Services(self._home, known, runtime.resolve().daprd, secrets_file.load(self._home))
        program = services.replica(app)[-1]
        (folder / "resources").mkdir()
        (folder / "resources" / "once.yaml").write_text(ONCE)
        configuration = yaml.safe_load((self._home.config / "edge.yaml").read_text())
        for closed in ("api", "httpPipeline"):
            del configuration["spec"][closed]
        (folder / "edge.yaml").write_text(yaml.safe_dump(configuration))
        moved = {str(self._home.resources): str(folder / "resources"), str(self._home.config): str(folder)}
        return program.model_copy(update={"argv": [_moved(part, moved) for part in program.argv]})

    def _ready(self, child: subprocess.Popen[bytes], log: Path) -> bool:
        assert child.poll() is None, log.read_text()[-2000:]
        try:
            return ask(self.port, "/v1.0/healthz") == 204
        except OSError:
            return False


def _moved(part: str, moved: dict[str, str]) -> str:
    for before, after in moved.items():
        part = part.replace(before, after)
    return part


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a child, by force where it does not go."""
    child.terminate()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
