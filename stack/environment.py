"""The environment that every child gets."""

import os

from stack import addresses, traces
from stack.home import Home

SMTP_PORT, SMS_PORT, PUSH_PORT = 1025, 8026, 8027
VALKEY_PORT = 16379
# Ours alone to set: what a caller's shell holds under these names belongs to some other system.
_OURS = ("DAPR_", "SIDECART_", "APP_", "PG", "SUPERVISOR_", "OTEL_")
# Slows every start down, and keeps the caches of our own code from being written at all.
_DROPPED = {"PYTHONDONTWRITEBYTECODE", "NAMESPACE", "PYTHONPATH", "PYTHONHOME"}
# The cache is one for all systems; seams are armed by a test that starts a system.
_CALLERS_SETTINGS = {"SIDECART_CACHE", "SIDECART_SEAMS"}


def inherited() -> dict[str, str]:
    """Return the caller's environment without what would confuse a child."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _CALLERS_SETTINGS or not (name.startswith(_OURS) or name in _DROPPED)
    }
    # gRPC and HTTP clients would otherwise send calls to our own ports through the caller's proxy.
    around = [part for part in (kept.get("NO_PROXY") or kept.get("no_proxy") or "").split(",") if part]
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(dict.fromkeys([*around, "127.0.0.1", "localhost"]))
    return kept | {"PYTHONUNBUFFERED": "1"}


def common(home: Home) -> dict[str, str]:
    """Return what every app and every sidecar is told about this system."""
    own = {
        "SIDECART_HOME": str(home.root),
        "SIDECART_PORT_OFFSET": str(home.offset),
        "SIDECART_SECRETS_FILE": str(home.secrets),
        "SIDECART_VALKEY_ADDRESS": f"127.0.0.1:{home.port(VALKEY_PORT)}",
        "SIDECART_SMTP_HOST": "127.0.0.1",
        "SIDECART_SMTP_PORT": str(home.port(SMTP_PORT)),
        "SIDECART_SMS_URL": f"http://127.0.0.1:{home.port(SMS_PORT)}/",
        "SIDECART_PUSH_URL": f"http://127.0.0.1:{home.port(PUSH_PORT)}/",
        "DAPR_HOST_IP": "127.0.0.1",
        "NAMESPACE": "default",
        # `sidecart token` asks for them; nobody reaches that route through a sidecar.
        "USERS_OPERATOR_TOKENS": "true",
    }
    return inherited() | own | addresses.every(home) | traces.environment(home)
