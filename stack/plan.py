"""Everything that one system is made of: its processes, and the ports that they need."""

from pathlib import Path

from stack import environment, postgres, providers, resources, secrets_file, sentry, stand_in_programs, valkey
from stack.home import Home
from stack.program import Program
from stack.servers import resolver
from stack.services import Services
from stack.topology import Topology


def programs(home: Home, topology: Topology, secrets: dict[str, str], daprd: Path, authority: Path) -> list[Program]:
    """Describe every process, servers first."""
    services = Services(home, topology, daprd, secrets)
    return [
        postgres.program(home),
        valkey.program(home, secrets["valkey-password"]),
        sentry.program(home, authority),
        *providers.programs(home, secrets),
        *stand_in_programs.programs(home, secrets),
        *(program for app in topology.apps for program in services.replica(app)),
    ]


def ports(home: Home, topology: Topology) -> dict[str, int]:
    """Return every port by what it is for, offset included; known before anything exists."""
    fixed = {
        "postgres": secrets_file.POSTGRES_PORT,
        "valkey": environment.VALKEY_PORT,
        "sentry": sentry.GRPC_PORT,
        "sentry health": sentry.HEALTH_PORT,
        "mailbox": stand_in_programs.MAILBOX_PORT,
        "mailbox SMTP": environment.SMTP_PORT,
        "sms": environment.SMS_PORT,
        "push": environment.PUSH_PORT,
        "card-processor": resources.CARD_PROCESSOR_PORT,
        "card-processor-2": resources.CARD_PROCESSOR_2_PORT,
        "providers": providers.PORT,
        "providers' proxy": providers.PROXY_PORT,
        **resolver.ports(),
    }
    for app in topology.apps:
        fixed |= {
            f"{app.app_id}-daprd HTTP": app.dapr_http_port,
            f"{app.app_id}-daprd gRPC": app.dapr_grpc_port,
            f"{app.app_id}-daprd internal gRPC": app.dapr_internal_grpc_port,
            f"{app.app_id}-daprd metrics": app.metrics_port,
        }
        if app.app_port is not None:
            fixed[app.app_id] = app.app_port
    return {name: home.port(number) for name, number in fixed.items()}
