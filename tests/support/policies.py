"""Edits of the policies of a running system, as an operator makes them."""

import time
from pathlib import Path
from typing import Any

import yaml

from tests.support.documents import CHECKOUT
from tests.support.system import System

SIDECARS = ("edge-daprd", "users-daprd", "orders-daprd", "payments-daprd", "notifications-daprd")
RESTARTING = "restarting"


def original(name: str) -> Path:
    return CHECKOUT / "resiliency" / f"{name}-policies.yaml"


def hasty(name: str, timeout: str) -> dict[str, Any]:
    """Return a policy file with *timeout* for everything and no second try."""
    document: dict[str, Any] = yaml.safe_load(original(name).read_text())
    policies = document["spec"]["policies"]
    policies["timeouts"] = dict.fromkeys(policies["timeouts"], timeout)
    for retry in policies.get("retries", {}).values():
        retry["maxRetries"] = 0
    return document


def unscoped(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(original(name).read_text())
    del document["scopes"]
    return document


def apply(system: System, document: dict[str, Any], folder: Path) -> None:
    file = folder / "policies.yaml"
    file.write_text(yaml.safe_dump(document))
    system.sidecart("apply", str(file))


def by_hand(system: System, document: dict[str, Any], folder: Path) -> None:
    """Edit the folder that sidecars watch, past `sidecart apply`: in one step, in place of the file of that name."""
    file = folder / "edited.yaml"
    file.write_text(yaml.safe_dump(document))
    file.replace(system.root / "resources" / f"{document['metadata']['name']}-policies.yaml")


def age(system: System, name: str) -> float:
    """Return the seconds since a policy's file was put in its place: what its command took besides is no effect."""
    return time.time() - (system.root / "resources" / f"{name}-policies.yaml").stat().st_mtime


def restarts(system: System) -> dict[str, int]:
    """Count how often the runtime within each sidecar's process was started anew."""
    logs = {name: (system.root / "logs" / f"{name}.log").read_text() for name in SIDECARS}
    return {name: log.count(RESTARTING) for name, log in logs.items()}
