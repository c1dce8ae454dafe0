"""Commands that move data, run, cut off and hindered."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from stack import databases
from stack.home import CHECKOUT, Home
from tests.support.shop import until
from tests.support.system import System

# Less than the policy's timeout.
SLOW_S = 1.5


async def sidecart(system: System, *arguments: str) -> str:
    done = await asyncio.to_thread(system.sidecart, *arguments)
    print(*arguments, done.stdout, sep="\n")
    return done.stdout


async def kill_half_way(system: System, *arguments: str, mark: str) -> None:
    """Start a command and kill it once it has noted how far it is."""
    command = [sys.executable, "-m", "stack.cli", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=CHECKOUT, env=system.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    async def noted() -> bool | None:
        assert process.returncode is None
        return True if half_way(read_text(system.root / "run" / mark)) else None

    await until(noted, f"{' '.join(arguments)} to be half-way")
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


def half_way(noted: str) -> bool:
    return bool(noted) and json.loads(noted)["after"] not in (None, "")


def read_text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def slow_down_the_old_store(system: System) -> None:
    """Let calls to it take their time just when it is replaced: a sidecar that closed it under them would die."""
    previous = system.root / "resources/order-details-previous.yaml"

    async def there() -> bool | None:
        return previous.exists() or None

    await until(there, "the swap to begin", every_s=0.01)

    def lock() -> None:
        with databases.connect(Home(system.root, system.offset), "order_details") as store, store.transaction():
            store.execute("LOCK TABLE state")
            time.sleep(SLOW_S)

    await asyncio.to_thread(lock)


def component_type(system: System) -> str:
    text = (system.root / "resources/order-details.yaml").read_text()
    return next(line.split()[1] for line in text.splitlines() if line.startswith("  type:"))


def metadata(system: System, app_id: str) -> Any:
    """What a sidecar says of itself."""
    port = system.status()[f"{app_id}-daprd"]["ports"]["http"]
    headers = {"dapr-api-token": system.sidecar_token(app_id)}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1.0/metadata", headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.loads(answer.read())
