"""Build daprd and sentry from the Go module in `dapr/runtime`, once per set of pins."""

import hashlib
import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack.cache import beside, cache_root, once
from stack.failures import RuntimeBuildError, failure
from stack.go_toolchain import find_go
from stack.watched import Progress, run_watched

SOURCE: Final = Path(__file__).resolve().parents[1] / "dapr" / "runtime"
PROGRAMS: Final = ("daprd", "sentry")
TAGS: Final = "stablecomponents"
ARCHITECTURES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Pins:
    """What go.mod asks for: the runtime's release and the oldest Go that builds it."""

    dapr: str
    go: str


def pins(source: Path) -> Pins:
    """Read *source*'s go.mod, the one place that names versions; raises `RuntimeBuildError`."""
    go_mod = source / "go.mod"
    try:
        text = go_mod.read_text(encoding="utf-8")
    except OSError as error:
        raise RuntimeBuildError(f"{go_mod} cannot be read ({error.strerror}): run from a complete checkout.") from error
    dapr = re.search(r"^\s*(?:require )?github\.com/dapr/dapr v(\S+)", text, re.MULTILINE)
    go = re.search(r"^go (\S+)", text, re.MULTILINE)
    if not dapr or not go:
        raise RuntimeBuildError(f"{go_mod} pins no github.com/dapr/dapr or has no go line: restore it.")
    return Pins(dapr[1], go[1])


def platform_name() -> str:
    """Return GOOS/GOARCH of this machine; raises `RuntimeBuildError` where Go's name for it is unknown."""
    machine = platform.machine().lower()
    if machine not in ARCHITECTURES:
        raise RuntimeBuildError(f"No runtime for {machine}: put daprd and sentry (1.18 or newer) on PATH.")
    return f"{platform.system().lower()}/{ARCHITECTURES[machine]}"


def cache_key(source: Path) -> str:
    """Digest everything that decides what the binaries are: sources but for their tests, pins, flags, platform."""
    digest = hashlib.sha256("\0".join([platform_name(), *_flags(pins(source))]).encode())
    for file in [source / "go.mod", source / "go.sum", *sorted(source.rglob("*.go"))]:
        if file.name.endswith("_test.go"):
            continue
        digest.update(f"\0{file.relative_to(source)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:20]


def build(progress: Progress, source: Path = SOURCE) -> Path:
    """Return the folder with the built programs, from the cache when they are there; raises `RuntimeBuildError`."""
    entry = cache_root() / "runtime" / cache_key(source)
    log = beside(entry, "log")
    try:
        once(entry, lambda part: _compile(source, part, log, progress), what="Dapr runtime", progress=progress)
    except OSError as error:
        raise RuntimeBuildError(
            f"The cache in {cache_root()} cannot be used: {error}.\n"
            "Free some disk, repair its permissions, or set SIDECART_CACHE to a folder of yours."
        ) from error
    return entry / "bin"


def built(source: Path = SOURCE) -> Path | None:
    """Return the folder with the built programs when they are there; never builds."""
    folder = cache_root() / "runtime" / cache_key(source) / "bin"
    return folder if folder.exists() else None


def _flags(pinned: Pins) -> list[str]:
    version = f"-X github.com/dapr/dapr/pkg/buildinfo.version={pinned.dapr}"
    return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-tags", TAGS, "-ldflags", f"-s -w {version}"]


def _compile(source: Path, part: Path, log: Path, progress: Progress) -> None:
    pinned = pins(source)
    go = find_go(pinned.go, progress)
    progress(f"Dapr runtime {pinned.dapr}: building it with {go}, once; 4 to 8 minutes on two cores")
    # named one by one, not ./cmd/...: both are linked in one run, and a third program is not built by accident
    targets = [f"./cmd/{name}" for name in PROGRAMS]
    command = [str(go), "build", "-v", *_flags(pinned), "-o", f"{part / 'bin'}/", *targets]
    counted = _Counted()
    status = run_watched(
        command,
        env=_environment(),
        cwd=source,
        log=log,
        on_line=counted.add,
        heartbeat=lambda elapsed: progress(f"Dapr runtime: {counted} ({elapsed:.0f} s)"),
    )
    built = [part / "bin" / name for name in PROGRAMS]
    if status != 0 or not all(program.is_file() for program in built):
        raise failure(f"Building the Dapr runtime {pinned.dapr}", log)
    for program in built:
        _flush(program)


def _environment() -> dict[str, str]:
    """Take the user's environment, proxies included, less what would change the result."""
    system, architecture = platform_name().split("/")
    fixed = {"GOOS": system, "GOARCH": architecture, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GO111MODULE": "on"}
    # GOFLAGS must not be empty, or Go looks for one in its own settings file
    return os.environ | fixed | {"GOWORK": "off", "GOFLAGS": "-mod=readonly"}


def _flush(program: Path) -> None:
    """Put *program* on the disk before the rename makes it count: a power cut must not leave an empty file."""
    with program.open("rb") as file:
        os.fsync(file.fileno())


@dataclass
class _Counted:
    """How far the build is, by the lines it prints."""

    modules: int = 0
    packages: int = 0
    latest: str = field(default="")

    def add(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self.modules += 1
        elif re.fullmatch(r"[\w.~/-]+", line):
            self.packages += 1
            self.latest = line

    def __str__(self) -> str:
        if not self.packages:
            return f"{self.modules} modules downloaded"
        if self.latest.startswith("sidecart/runtime/cmd/"):
            return f"{self.packages} packages compiled, linking"
        return f"{self.modules} modules downloaded, {self.packages} packages compiled"
