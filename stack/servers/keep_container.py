"""Keeps one container for as long as this process lives: told to end, the server inside ends in order first."""

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from typing import Final

from docker.client import from_env
from testcontainers.core.container import DockerContainer

from stack.servers.container import STOP_S, Kept
from stack.servers.dynamodb import REGION, SIGNED, table_request

LABEL: Final = "org.sidecart.server"
LOOK_S: Final = 1.0
TABLE_PATIENCE_S: Final = 60


def main() -> None:
    """Run what `SIDECART_CONTAINER` describes until SIGTERM, or until it ends by itself."""
    kept = Kept.model_validate_json(os.environ["SIDECART_CONTAINER"])
    told = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    _remove_former(kept.label)
    container = _described(kept)
    container.start()
    inside = container.get_wrapped_container()
    print(f"{kept.image} runs as {inside.short_id}, reached at 127.0.0.1:{kept.port}", flush=True)
    try:
        if kept.table:
            _make_table(kept, told)
        while not told.wait(LOOK_S):
            inside.reload()
            if inside.status not in {"created", "running", "restarting"}:
                raise SystemExit(f"{kept.image} ended: {inside.logs(tail=5).decode(errors='replace').strip()}")
        inside.stop(timeout=STOP_S)
    finally:
        container.stop(delete_volume=False)


def _described(kept: Kept) -> DockerContainer:
    container = DockerContainer(kept.image)
    container.ports[f"{kept.inside}/tcp"] = ("127.0.0.1", kept.port)  # type: ignore[assignment]  # as docker-py takes it
    container.with_envs(**kept.env).with_volume_mapping(kept.volume, kept.data, "rw")
    if kept.command:
        container.with_command(kept.command)
    # A name that stays: RabbitMQ keeps its data under its host's.
    return container.with_kwargs(
        hostname="sidecart", labels={LABEL: kept.label}, **({"user": kept.user} if kept.user else {})
    )


def _remove_former(label: str) -> None:
    """Remove what a keeper left that was killed: it holds the port and the volume."""
    client = from_env()
    try:
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={label}"}):
            container.remove(force=True)
    finally:
        client.close()


def _make_table(kept: Kept, told: threading.Event) -> None:
    """Ask until the server answers: that the table is there is as good as that it was made."""
    headers = {"Authorization": SIGNED.format(REGION), "X-Amz-Target": "DynamoDB_20120810.CreateTable"}
    headers["Content-Type"] = "application/x-amz-json-1.0"
    asked = urllib.request.Request(f"http://127.0.0.1:{kept.port}/", table_request(kept.table).encode(), headers)
    limit = time.monotonic() + TABLE_PATIENCE_S
    while not told.wait(LOOK_S / 4):
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10).close()
        except urllib.error.HTTPError as error:
            if b"ResourceInUse" in error.read():
                return
            if time.monotonic() > limit:
                raise
        except OSError:
            if time.monotonic() > limit:
                raise
        else:
            return


if __name__ == "__main__":
    main()
