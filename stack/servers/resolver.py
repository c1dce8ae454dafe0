"""Which servers the components in use need, and where each is: where the environment says, in Docker, or here."""

from collections.abc import Iterable
from typing import Any, Final

import yaml

from stack import addresses
from stack.home import Home
from stack.program import Program
from stack.servers import container, dynamodb, kafka, mongodb, rabbitmq, vault
from stack.servers.server import MissingServerError, Server
from stack.watched import Progress

SERVERS: Final = {
    server.name: server for server in (rabbitmq.SERVER, kafka.SERVER, mongodb.SERVER, dynamodb.SERVER, vault.SERVER)
}


def ports() -> dict[str, int]:
    """Return the fixed ports of all, used or not."""
    return {use: port for server in SERVERS.values() for use, port in server.ports.items()}


def needed_by(component: str) -> list[Server]:
    """Return the servers that a component's YAML takes an address of."""
    document: Any = yaml.safe_load(component)
    spec: Any = document.get("spec") if isinstance(document, dict) else None
    entries: Any = (spec.get("metadata") if isinstance(spec, dict) else None) or []
    named = {entry.get("envRef") for entry in entries if isinstance(entry, dict)}
    return [server for server in SERVERS.values() if server.variable in named]


def needed(home: Home) -> list[Server]:
    """Return the servers that the running folder asks for, whoever put its files there."""
    found = {server.name: server for path in home.resources.glob("*.yaml") for server in needed_by(path.read_text())}
    return [found[name] for name in SERVERS if name in found]


def unavailable(home: Home, server: Server) -> str | None:
    """Say why *server* cannot be had and what to do; None when it can."""
    return None if server.variable in addresses.given(home) else missing(server)


def missing(server: Server) -> str | None:
    """Say why *server* cannot be started and what to do; None where Docker has its product, or this machine can."""
    return None if server.image is not None and container.engine_answers() else server.missing()


def programs(home: Home, server: Server, secrets: dict[str, str], progress: Progress) -> list[Program]:
    """Describe what has to run for *server*: nothing where the environment gave its address."""
    if server.variable in addresses.given(home):
        return []
    if server.image is not None and container.engine_answers() and not _ours_before(home, server):
        progress(f"{server.name}: {server.image.name}, by Docker")
        return [container.program(home, server.name, server.image, _port(server), secrets)]
    if (why := server.missing()) is not None:
        raise MissingServerError(f"{server.name} is needed and cannot be had: {why}")
    return server.programs(home, secrets, progress)


def prepare(home: Home, ready: Iterable[str], secrets: dict[str, str]) -> None:
    """Do what has to be done on the servers of ours among *ready*, before sidecars look for it."""
    names = set(ready)
    for server in SERVERS.values():
        if server.prepare is not None and server.name in names:
            server.prepare(home, secrets)


def _port(server: Server) -> int:
    """Return the fixed port that clients use: the first named."""
    return next(iter(server.ports.values()))


def _ours_before(home: Home, server: Server) -> bool:
    """Tell whether this home's data were written without Docker: they go on where they are."""
    return (home.data / server.name).exists()
