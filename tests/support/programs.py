"""Stand-in executables and a place of its own to find them in."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEADLINE_S: Final = 20.0


def program(file: Path, script: str) -> Path:
    """Write *script* as an executable shell program; it gets no PATH worth naming, so tools stand there in full."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def prints(file: Path, line: str) -> Path:
    return program(file, f"echo '{line}'")


def until(met: Callable[[], bool], what: str) -> None:
    """Poll *met*; fail after `DEADLINE_S` seconds, naming *what* did not happen."""
    deadline = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < deadline, f"within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Tell whether *pid* runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Sandbox:
    """A home, a PATH, a cache and a Go module that hold nothing but what a test puts there."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "bin"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.path), "HOME": str(self.home), "SIDECART_CACHE": str(self.cache)}

    def entries(self) -> list[str]:
        """Name what the runtime cache holds besides locks and logs."""
        folder = self.cache / "runtime"
        found = folder.iterdir() if folder.is_dir() else ()
        return [file.name for file in found if file.suffix not in {".lock", ".log"}]

    def command(self) -> list[str]:
        """Return a command line that resolves the runtime in a process of its own."""
        code = f"""
import pathlib, signal
from stack.runtime import resolve
# a shell that runs the tests in the background makes its children deaf to interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)
print(resolve(source=pathlib.Path({str(self.source)!r})).daprd)
"""
        return [sys.executable, "-c", code]

    def go(self, build: str, version: str = "1.99.0") -> Path:
        """Put a `go` on PATH whose `go build` runs *build*, a shell script that may call `finish`."""
        return program(self.path / "go", go_script(build, version))


def go_script(build: str, version: str = "1.99.0") -> str:
    return f"""
finish() {{
    while [ "$1" != -o ]; do shift; done
    /bin/mkdir -p "$2"
    for name in daprd sentry; do printf '#!/bin/sh\\necho 1.18.2\\n' > "$2/$name"; /bin/chmod +x "$2/$name"; done
}}
case "$1" in
version) echo "go version go{version} linux/amd64";;
build) {build}
;;
esac"""


def make_sandbox(root: Path) -> Sandbox:
    box = Sandbox(root)
    for folder in (box.path, box.home, box.source / "cmd" / "daprd"):
        folder.mkdir(parents=True)
    (box.source / "go.mod").write_text("module x\n\ngo 1.26.5\n\nrequire github.com/dapr/dapr v1.18.2\n")
    (box.source / "go.sum").write_text("github.com/dapr/dapr v1.18.2 h1:x=\n")
    (box.source / "cmd" / "daprd" / "main.go").write_text("package main\n")
    return box
