"""Run one service: `python -m apps.chassis.serve orders`."""

import importlib
import sys

import uvicorn

from apps.chassis import telemetry
from apps.chassis.app import Service, create_app

_DRAIN_S = 10


def find(name: str) -> Service:
    """Return the service called *name*, or end with one line that says which there are none of."""
    try:
        module = importlib.import_module(f"apps.{name}.app")
    except ModuleNotFoundError as error:
        if error.name not in {f"apps.{name}", f"apps.{name}.app"}:
            sys.exit(f"{name}: the package {error.name} is missing; install sidecart[{name}]")
        sys.exit(f"{name}: there is no such service; see apps/ for those there are")
    service: Service = module.SERVICE
    return service


def main(arguments: list[str]) -> None:
    """Load the service's settings and serve it until told to stop."""
    if len(arguments) != 1:
        sys.exit("usage: python -m apps.chassis.serve SERVICE")
    service = find(arguments[0])
    settings = service.settings.load()
    telemetry.start(service.name, settings.log_level)
    uvicorn.run(
        create_app(service, settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # only the own sidecar calls, and it says who called in headers of its own
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
