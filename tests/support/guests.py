"""Examples beside a running system: joined for a test, gone at its end."""

import json
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.documents import CHECKOUT
from tests.support.system import System

EXAMPLES = CHECKOUT / "examples"
SHOPPING_S = 90


@contextmanager
def joined(system: System, name: str, env: Mapping[str, str] | None = None) -> Generator[dict[str, str]]:
    """Join `examples/NAME` and yield how its sidecar is reached."""
    system.sidecart("join", str(EXAMPLES / name), env=env)
    try:
        yield addresses(system, name)
    finally:
        system.sidecart("leave", name)


def addresses(system: System, app_id: str) -> dict[str, str]:
    """Return what `sidecart env` says."""
    return dict(line.split("=", 1) for line in system.sidecart("env", app_id).stdout.split())


def shop_with(command: Sequence[str | Path], env: Mapping[str, str]) -> Any:
    """Run one of the example clients and return what it saw."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SHOPPING_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
