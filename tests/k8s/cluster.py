"""A real API server over a real etcd, without a node: what it accepts, a cluster would accept."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stack.servers import debian
from stack.watched import to_stderr
from tests.support import children

TOKEN: Final = "an-administrator-of-this-test-alone"
DEADLINE_S: Final = 90.0


@dataclass(frozen=True)
class Cluster:
    """An API server at *url*, and the client that speaks to it as administrator."""

    url: str
    kubectl: Path
    home: Path

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Call kubectl; the caller judges how it ended."""
        return subprocess.run(
            [self.kubectl, f"--server={self.url}", f"--token={TOKEN}", "--insecure-skip-tls-verify", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=_own_home(self.home),
        )

    def apply(self, documents: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Apply server-side, refusing unknown fields."""
        return self.run("apply", "--server-side", "--validate=strict", *options, "-f", "-", given=documents)

    def get(self, *what: str) -> Any:
        """Return what the server holds."""
        done = self.run("get", *what, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def kustomized(kubectl: Path, folder: Path) -> str:
    """Return what `kubectl apply -k` would send: with the load restrictions that it has."""
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@contextmanager
def started(programs: Path, home: Path) -> Generator[Cluster]:
    """Run etcd and the API server until the block ends."""
    etcd = debian.unpacked("etcd-server", "etcd-server", to_stderr) / "usr/bin/etcd"
    etcd_port, peer_port, port = free_port(), free_port(), free_port()
    (home / "tokens.csv").write_text(f'{TOKEN},administrator,1,"system:masters"\n')
    _write_key(home / "accounts.key")
    database, url = f"http://127.0.0.1:{etcd_port}", f"https://127.0.0.1:{port}"
    with ExitStack() as stack:
        peer = f"http://127.0.0.1:{peer_port}"
        stack.enter_context(running(home, "etcd", [
            etcd, f"--data-dir={home}/etcd", f"--listen-client-urls={database}", f"--advertise-client-urls={database}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ]))  # fmt: skip
        server = stack.enter_context(running(home, "kube-apiserver", [
            programs / "kube-apiserver", f"--etcd-servers={database}", f"--secure-port={port}",
            "--bind-address=127.0.0.1", f"--cert-dir={home}/certificates", f"--token-auth-file={home}/tokens.csv",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24",
            f"--service-account-key-file={home}/accounts.key", "--service-account-issuer=https://kubernetes.invalid",
            f"--service-account-signing-key-file={home}/accounts.key",
        ]))  # fmt: skip
        cluster = Cluster(url, programs / "kubectl", home)
        _await_ready(cluster, server)
        yield cluster


@contextmanager
def running(
    home: Path, name: str, command: list[str | Path], environment: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """Run a program with its output in a file, and end it with the block."""
    with (home / f"{name}.log").open("wb") as log:
        process = children.start(
            command, stdout=log, stderr=subprocess.STDOUT, env=_own_home(home) | dict(environment or {})
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _own_home(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    return kept | {"HOME": str(home), "KUBECONFIG": str(home / "none")}


def _write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def _await_ready(cluster: Cluster, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + DEADLINE_S
    while cluster.run("get", "--raw", "/readyz").returncode != 0:
        said = (cluster.home / "kube-apiserver.log").read_text()[-2000:]
        assert server.poll() is None, said
        assert time.monotonic() < limit, said
        time.sleep(0.2)
