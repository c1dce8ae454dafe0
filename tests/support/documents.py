"""The YAML that sidecars read, as the checkout has it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
SERVICES = ("users", "orders", "payments", "notifications")
APP_IDS = ("edge", *SERVICES)
# These three end up in one flat folder.
WATCHED = ("components/embedded", "dapr/subscriptions", "resiliency")


@dataclass(frozen=True)
class Document:
    """One file with one document."""

    path: Path
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["spec"]
        return found

    @property
    def scopes(self) -> list[str]:
        return list(self.body.get("scopes", []))

    def field(self, name: str) -> dict[str, Any]:
        """Return one entry of a component's metadata, an empty one when it is absent."""
        return next((dict(entry) for entry in self.spec["metadata"] if entry["name"] == name), {})


def paths(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((CHECKOUT / folder).glob("*.yaml"))]


def read(*folders: str) -> list[Document]:
    return [Document(path, yaml.safe_load(path.read_text())) for path in paths(*folders)]


@cache
def components() -> dict[str, Document]:
    return {document.name: document for document in read("components/embedded")}


def subscriptions() -> list[Document]:
    return read("dapr/subscriptions")


@cache
def configuration(app_id: str) -> Document:
    path = CHECKOUT / "dapr" / "config" / f"{app_id}.yaml"
    return Document(path, yaml.safe_load(path.read_text()))


def may_publish(app_id: str) -> set[str]:
    """Return the topics of `pubsub` that *app_id* may publish."""
    return _scoped("publishingScopes", app_id)


def may_hear(app_id: str) -> set[str]:
    """Return the topics of `pubsub` that *app_id* may subscribe to."""
    return _scoped("subscriptionScopes", app_id)


def _scoped(field: str, app_id: str) -> set[str]:
    # an app-id without a rule is free to do everything
    rules = dict(rule.split("=") for rule in components()["pubsub"].field(field)["value"].split(";"))
    return set(rules[app_id].split(","))
