"""Secrets from Vault's API, which a real OpenBao serves: read by a real sidecar through the profile's own component."""

import os
import signal
import subprocess
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from stack import addresses, runtime, secrets_file
from stack.home import CHECKOUT, Home
from stack.program import Program
from stack.readiness import ready_names
from stack.servers import resolver, vault
from stack.watched import to_stderr
from tests.matrix.columns import expected
from tests.support import children
from tests.support.stand_ins import free_port
from tests.support.system import wait_for

READY_S = 120


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(root=tmp_path / "home", offset=free_port() - addresses.VAULT_PORT)
    made.make_directories()
    secrets_file.ensure(made)
    return made


@pytest.fixture
def server(home: Home) -> Program:
    """The server of the `vault` profile, filled."""
    if (why := resolver.unavailable(home, vault.SERVER)) is not None:
        assert "vault" not in expected(), why
        pytest.skip(why)
    [program] = resolver.programs(home, vault.SERVER, secrets_file.load(home), to_stderr)
    return program


def started(stack: ExitStack, home: Home, program: Program) -> "subprocess.Popen[bytes]":
    process = stack.enter_context(children.start(program.argv, env=program.env, cwd=program.cwd))
    stack.callback(process.terminate)
    wait_for(lambda: ready_names(home, [program]), "the server to be ready", READY_S)
    return process


def secret(port: int, name: str) -> Any:
    url = f"http://127.0.0.1:{port}/v1.0/secrets/secrets/{name}"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return orjson.loads(answer.read())
    except OSError:
        return None


def sidecar(folder: Path, port: int) -> list[str]:
    (folder / "resources").mkdir()
    (folder / "resources/secrets.yaml").write_bytes((CHECKOUT / "components/vault/secrets.yaml").read_bytes())
    ports = {"dapr-http-port": port, "dapr-grpc-port": free_port(), "dapr-internal-grpc-port": free_port()}
    options = {**ports, "metrics-port": free_port(), "resources-path": folder / "resources", "app-id": "orders"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [str(runtime.resolve().daprd), *flags, "--dapr-listen-addresses=127.0.0.1"]


@pytest.mark.timeout(400)
def test_a_sidecar_reads_every_secret_from_vault_also_after_it_was_killed(
    home: Home, server: Program, tmp_path: Path
) -> None:
    secrets, port = secrets_file.load(home), free_port()
    with ExitStack() as stack:
        process = started(stack, home, server)
        vault.prepare(home, secrets)
        env = os.environ | {name: it for name, it in addresses.every(home).items() if "VAULT" in name}
        daprd = stack.enter_context(
            children.start(sidecar(tmp_path, port), env=env | {"DAPR_HOST_IP": "127.0.0.1"}, stdout=subprocess.DEVNULL)
        )
        stack.callback(daprd.terminate)
        wait_for(lambda: secret(port, "smtp-user"), "the sidecar to read a secret", READY_S)
        for name, value in secrets.items():
            assert secret(port, name) == {name: value}
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        started(stack, home, server)
        wait_for(lambda: secret(port, "payments-keks"), "it to be filled again", READY_S)
