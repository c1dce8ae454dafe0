"""The local certificate authority: it gives each sidecar the identity that access control is built on."""

from pathlib import Path

from stack import environment
from stack.home import Home
from stack.program import Check, Program

GRPC_PORT, HEALTH_PORT = 15001, 15002
TRUST_DOMAIN = "localhost"


def address(home: Home) -> str:
    """Return where sidecars ask for certificates."""
    return f"127.0.0.1:{home.port(GRPC_PORT)}"


def trust_anchors(home: Home) -> Path:
    """Return the authority's certificate; Sentry writes it at its first start."""
    return home.trust / "ca.crt"


def program(home: Home, executable: Path) -> Program:
    """Describe the process."""
    ports = {"grpc": home.port(GRPC_PORT), "health": home.port(HEALTH_PORT)}
    options = {
        "config": home.config / "sentry.yaml",
        "issuer-credentials": home.trust,
        "trust-domain": TRUST_DOMAIN,
        "listen-address": "127.0.0.1",
        "port": ports["grpc"],
        # Ours keeps to this address (dapr/runtime/cmd/sentry says why it is ours); an installed Sentry 1.18 ignores it
        # and answers yes or no on every interface. It would do so with metrics too, which say more: there are none.
        "healthz-listen-address": "127.0.0.1",
        "healthz-port": ports["health"],
        "enable-metrics": "false",
        "log-as-json": "true",
    }
    return Program(
        name="sentry",
        kind="server",
        argv=[str(executable), *(f"--{name}={value}" for name, value in options.items())],
        env=environment.common(home),
        ports=ports,
        check=Check(via="http", port=ports["health"], path="/healthz"),
    )
