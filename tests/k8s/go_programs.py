"""Programs that only a Go module brings, built once per set of pins and kept outside the checkout."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Final

from stack.cache import beside, cache_root, once
from stack.go_toolchain import find_go
from stack.runtime_build import platform_name
from stack.watched import run_watched, to_stderr

HERE: Final = Path(__file__).parent
OLDEST_GO: Final = "1.26.5"
_FLAGS: Final = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w")


def built(module: str, *programs: str) -> Path:
    """Return the folder with *programs* of the module in the folder *module*, built if this is the first time."""
    source = HERE / module
    entry = cache_root() / module / _key(source)
    once(entry, lambda part: _build(source, part, beside(entry, "log"), programs), what=module, progress=to_stderr)
    return entry


def module_folder(path: str, version: str, digest: str) -> Path:
    """Return where a published module's files lie, fetched if need be; they must be the ones that *digest* names."""
    done = subprocess.run(
        [find_go(OLDEST_GO, to_stderr), "mod", "download", "-json", f"{path}@{version}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd="/",
        env=_environment(),
    )
    told = json.loads(done.stdout or "{}")
    if "Error" in told or done.returncode != 0:
        raise LookupError(f"{path} {version}: {told.get('Error', done.stderr.strip())}")
    if told["Sum"] != digest:
        raise LookupError(f"{path} {version} is not what it was: {told['Sum']}")
    return Path(told["Dir"])


def _key(source: Path) -> str:
    digest = hashlib.sha256("\0".join([platform_name(), *_FLAGS]).encode())
    for file in [source / "go.mod", source / "go.sum", *sorted(source.rglob("*.go"))]:
        digest.update(f"\0{file.relative_to(source)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:20]


def _build(source: Path, part: Path, log: Path, programs: tuple[str, ...]) -> None:
    to_stderr(f"{source.name}: building {', '.join(programs)} from Go modules, once; some minutes on two cores")
    status = run_watched(
        [find_go(OLDEST_GO, to_stderr), "build", *_FLAGS, "-o", f"{part}/", *(f"./cmd/{name}" for name in programs)],
        env=_environment(),
        cwd=source,
        log=log,
        on_line=lambda _: None,
        heartbeat=lambda elapsed: to_stderr(f"{source.name}: building ({elapsed:.0f} s)"),
    )
    if status != 0:
        raise LookupError(f"{source.name} could not be built: see {log}")


def _environment() -> dict[str, str]:
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
