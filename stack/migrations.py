"""Running each service's migrations with its owner's rights, before any app starts."""

import subprocess
import sys
import time
from pathlib import Path

from stack import environment
from stack.errors import StackError
from stack.home import CHECKOUT, Home
from stack.logs import reason
from stack.topology import App

DEADLINE_S = 120.0


def run(home: Home, services: list[App], secrets: dict[str, str]) -> None:
    """Migrate all databases at once; raise `StackError` with the first failure's reason, and end the others."""
    started = {
        app.app_id: _start(home, app.app_id, secrets[key])
        for app in services
        if (key := f"{app.app_id}-database-owner-url") in secrets and migrates(app.app_id)
    }
    limit = time.monotonic() + DEADLINE_S
    try:
        for name, process in started.items():
            if process.wait(timeout=max(0.0, limit - time.monotonic())) != 0:
                log = f"{name}-migrate"
                raise StackError(f"{name}: its migrations failed: {reason(home, log)}: see {home.log(log)}")
    except subprocess.TimeoutExpired as error:
        raise StackError(f"migrations took longer than {DEADLINE_S:.0f} s: see {home.logs}/*-migrate.log") from error
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def migrates(app_id: str) -> bool:
    """Tell whether a service keeps tables: one without a folder of migrations has nothing to run."""
    return (CHECKOUT / "apps" / app_id / "migrations" / "env.py").is_file()


def _start(home: Home, name: str, owner_url: str) -> subprocess.Popen[bytes]:
    log: Path = home.log(f"{name}-migrate")
    env = environment.common(home) | {f"{name.upper().replace('-', '_')}_DATABASE_OWNER_URL": owner_url}
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "apps.chassis.migrate", name],
            cwd=CHECKOUT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
