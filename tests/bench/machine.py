"""What was measured, and on what."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psutil

from stack import postgres, runtime, valkey
from stack.home import CHECKOUT
from tests.bench.figures import Json


def facts() -> Json:
    """Return the machine, the versions and the moment."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _said("git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD"),
        "edited": bool(
            _said("git", "-C", str(CHECKOUT), "status", "--porcelain", "apps", "stack", "dapr", "components")
        ),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "dapr": runtime.resolve().version,
        "postgres": _said(str(postgres.binary("postgres")), "--version").rpartition(" ")[2],
        "valkey": _said(str(valkey.binary()), "--version").partition("v=")[2].partition(" ")[0],
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=15).stdout.strip()
    except OSError:
        return ""
