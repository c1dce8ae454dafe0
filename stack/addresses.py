"""Where each profile's servers are: known before any of them runs, since a sidecar's environment never changes."""

import json
import os
from pathlib import Path
from typing import Final

from stack.home import Home

RABBITMQ_PORT: Final = 5674
KAFKA_PORT: Final = 9102
MONGODB_PORT: Final = 15027
DYNAMODB_PORT: Final = 8010
VAULT_PORT: Final = 8210

# What a component's envRef names -> the address of our own server.
_OURS: Final = {
    "SIDECART_RABBITMQ_ADDRESS": ("127.0.0.1:{}", RABBITMQ_PORT),
    "SIDECART_KAFKA_BROKERS": ("127.0.0.1:{}", KAFKA_PORT),
    # Whether Kafka is spoken to without TLS: true of ours, and of no other unless it is said so.
    "SIDECART_KAFKA_PLAINTEXT": ("true", KAFKA_PORT),
    "SIDECART_MONGODB_ADDRESS": ("127.0.0.1:{}", MONGODB_PORT),
    "SIDECART_DYNAMODB_ENDPOINT": ("http://127.0.0.1:{}", DYNAMODB_PORT),
    "SIDECART_VAULT_ADDRESS": ("http://127.0.0.1:{}", VAULT_PORT),
}
_VAULT_TOKEN_FILE: Final = "SIDECART_VAULT_TOKEN_FILE"  # noqa: S105 - a name


def vault_token_file(home: Home) -> Path:
    """Return the file that holds the token of our own Vault."""
    return home.run / "vault.token"


def remember_given(home: Home) -> None:
    """Keep the addresses that the caller's environment gives: commands from other shells mean the same servers."""
    given = {name: os.environ[name] for name in (*_OURS, _VAULT_TOKEN_FILE) if os.environ.get(name)}
    (home.run / "addresses.json").write_text(json.dumps(given))


def given(home: Home) -> dict[str, str]:
    """Return the addresses of servers that are somebody else's to run."""
    try:
        found: dict[str, str] = json.loads((home.run / "addresses.json").read_text())
    except FileNotFoundError:
        return {}
    return found


def every(home: Home) -> dict[str, str]:
    """Return each address under the name that components use, whether or not a server runs there."""
    theirs = given(home)
    ours = {name: text.format(home.port(port)) for name, (text, port) in _OURS.items()}
    ours[_VAULT_TOKEN_FILE] = str(vault_token_file(home))
    if "SIDECART_KAFKA_BROKERS" in theirs:
        ours["SIDECART_KAFKA_PLAINTEXT"] = "false"
    return ours | theirs
