"""Why the runtime could not be had, told so that somebody can act on it."""

import re
from pathlib import Path
from typing import Final

from stack.errors import StackError

SHOWN_LINES: Final = 8

# what the tools print -> what a person does about it
REMEDIES: Final = (
    (r"no space left on device", "Free some disk: the first build needs about 6 GB in the home and temporary folders."),
    (r"signal: killed|out of memory|cannot allocate memory", "Memory ran out: the build needs about 3 GB free."),
    (r"checksum mismatch|SECURITY ERROR|missing go\.sum entry", "A module differs from go.sum: check GOPROXY."),
    (
        r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|x509:|[Ff]ailed to fetch|proxy.*: 5\d\d",
        "The package registry did not answer: check the network, proxy settings and GOPROXY.",
    ),
)
ANYWAY: Final = "Run it again to continue where it stopped, or put daprd and sentry (1.18 or newer) on PATH."


class RuntimeBuildError(StackError):
    """The Dapr runtime cannot be had; the message is for people and complete."""


def failure(step: str, log: Path) -> RuntimeBuildError:
    """Describe a failed *step* by the last meaningful lines of its *log*, with a remedy."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if _meaningful(line)]
    shown = lines[-SHOWN_LINES:] or ["(it printed nothing)"]
    text = "\n".join(lines)
    hints = [remedy for pattern, remedy in REMEDIES if re.search(pattern, text)]
    return RuntimeBuildError(
        "\n".join([f"{step} failed:", *(f"  {line}" for line in shown), f"Full log: {log}", *hints[:1], ANYWAY])
    )


def _meaningful(line: str) -> bool:
    """Tell errors from the names of packages and modules that a build prints as it goes."""
    return bool(line.strip()) and not re.fullmatch(r"go: downloading .*|[\w.~/-]+", line.strip())
