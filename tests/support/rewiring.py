"""Puts a proxy into each way out of the running system, as an operator would: by applying edited files."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stack import profiles
from stack.addresses import MONGODB_PORT, RABBITMQ_PORT
from stack.environment import PUSH_PORT, SMS_PORT, SMTP_PORT, VALKEY_PORT
from stack.resources import CARD_PROCESSOR_2_PORT, CARD_PROCESSOR_PORT, DEFAULT_PROFILE
from stack.secrets_file import POSTGRES_PORT
from tests.support.documents import components
from tests.support.proxies import Link, Proxies
from tests.support.system import System

UPSTREAM = {
    "card-processor": CARD_PROCESSOR_PORT,
    "card-processor-2": CARD_PROCESSOR_2_PORT,
    "email": SMTP_PORT,
    "email-2": SMTP_PORT,
    "sms": SMS_PORT,
    "push": PUSH_PORT,
    "pubsub": VALKEY_PORT,
    "notification-queue": VALKEY_PORT,
    "order-details": POSTGRES_PORT,
    "undelivered": VALKEY_PORT,
}


ELSEWHERE = {"pubsub.rabbitmq": ("hostname", RABBITMQ_PORT), "state.mongodb": ("host", MONGODB_PORT)}
"""Products of other profiles: the field that holds host and port together, and where their server listens."""


def rewire(system: System, proxies: Proxies, folder: Path, profile: str = DEFAULT_PROFILE) -> dict[str, Link]:
    """Return the link of each component that *profile* has; from now on everything goes through them."""
    links: dict[str, Link] = {}
    chosen = profiles.chosen([profile])
    for name, usual in UPSTREAM.items():
        body = yaml.safe_load(chosen[name].path.read_text()) if name in chosen else components()[name].body
        field, upstream = ELSEWHERE.get(body["spec"].get("type"), ("", usual))
        links[name] = proxies.link(name, system.port(upstream))
        there = {field: f"127.0.0.1:{links[name].port}"} if field else {}
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(_through(links[name].port, body, system, there)))
        system.sidecart("apply", str(file))
    return links


def _through(port: int, document: dict[str, Any], system: System, there: dict[str, str]) -> dict[str, Any]:
    """Return a copy of *document* whose address is *port* of this machine, or what *there* says of its fields."""
    spec = dict(document["spec"])
    address = f"127.0.0.1:{port}"
    if document["kind"] == "HTTPEndpoint":
        return {**document, "spec": {**spec, "baseUrl": f"http://{address}"}}
    database = system.secret("order-details-connection").replace(f":{system.port(POSTGRES_PORT)}/", f":{port}/")
    values = {
        "host": "127.0.0.1",
        "port": str(port),
        "url": f"http://{address}/",
        "redisHost": address,
        "connectionString": database,
    } | there
    fields = [
        {"name": it["name"], "value": values[it["name"]]} if it["name"] in values else it for it in spec["metadata"]
    ]
    return {**document, "spec": {**spec, "metadata": fields}}


@dataclass(frozen=True)
class AppLink:
    """The last stretch to a service, whose own process is what can be slow, mute or gone."""

    system: System
    name: str

    @contextmanager
    def mute(self) -> Generator[None]:
        pid = self.system.kill(self.name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def cut(self) -> Generator[None]:
        with self.system.without(self.name):
            yield
        self.system.wait_ready(self.name)
