"""Who installs a package from PyPI into a folder."""

import importlib.util
import shutil
import sys

from stack.cache import cache_root


def installer() -> list[str] | None:
    """Return how a command that installs begins: uv from PATH, the uv that `make` fetched, or this Python's pip."""
    if uv := shutil.which("uv") or _cached_uv():
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--no-input"]
    return None


def _cached_uv() -> str | None:
    path = cache_root() / "uv" / "bin" / "uv"
    return str(path) if path.exists() else None
