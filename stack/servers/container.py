"""A server from Docker, where its engine answers: a container that lives as long as a process of ours keeps it."""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from stack import environment
from stack.home import Home
from stack.program import Check, Program

VARIABLE: Final = "SIDECART_DOCKER"
ANSWERS_S: Final = 2
# What an image's server may take to write everything down, and then for the engine to say so.
STOP_S: Final = 30


@dataclass(frozen=True)
class Image:
    """How a product's own image is run."""

    name: str
    port: int
    """Where it listens inside."""
    data: str
    """The folder that has to survive."""
    env: Callable[[dict[str, str], int], Mapping[str, str]]
    """Its settings, by the secrets and the port that it is reached at."""
    say: bytes
    """Any answer to this means that it is ready: an engine accepts connections before the server inside does."""
    command: tuple[str, ...] = ()
    user: str = ""
    table: str = ""
    """A DynamoDB table to make, where there is none."""


class Kept(BaseModel):
    """What the keeping process is told; in its environment, since passwords are among it."""

    label: str
    image: str
    inside: int
    port: int
    volume: str
    data: str
    env: dict[str, str]
    command: list[str]
    user: str
    table: str


@cache
def engine_answers() -> bool:
    """Tell whether a Docker engine is here to be used; `SIDECART_DOCKER=no` says that it is not."""
    if os.environ.get(VARIABLE, "").lower() in {"no", "0", "off"}:
        return False
    scheme, _, socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    if scheme == "unix" and not Path(socket).exists():
        return False
    from docker import client as engine  # noqa: PLC0415 - half a second that most commands need not pay
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        client = engine.from_env(timeout=ANSWERS_S)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


def program(home: Home, name: str, image: Image, fixed: int, secrets: dict[str, str]) -> Program:
    """Describe the process that keeps *image* at one port of this system's."""
    port = home.port(fixed)
    # One home, one container of this name, and one volume, which stays.
    label = f"sidecart-{hashlib.sha256(str(home.root).encode()).hexdigest()[:12]}-{name}"
    kept = Kept(
        label=label,
        image=image.name,
        inside=image.port,
        port=port,
        volume=label,
        data=image.data,
        env=dict(image.env(secrets, port)),
        command=list(image.command),
        user=image.user,
        table=image.table,
    )
    return Program(
        name=name,
        kind="server",
        argv=[sys.executable, "-m", "stack.servers.keep_container"],
        env=environment.inherited() | _engine() | {"SIDECART_CONTAINER": kept.model_dump_json()},
        stop_wait_s=STOP_S + 15,
        ports={name: port},
        check=Check(via="tcp", port=port, say=image.say.hex()),
    )


def _engine() -> dict[str, str]:
    """Return what says where the engine is: the keeper must mean the same one."""
    meant = ("DOCKER_", "TESTCONTAINERS_", "RYUK_")
    return {name: value for name, value in os.environ.items() if name.startswith(meant)}
