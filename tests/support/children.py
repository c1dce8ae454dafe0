"""Processes that tests start by themselves, and that none of them outlives: the kernel ends a child with its parent."""

import ctypes
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stack.launch import PR_SET_PDEATHSIG

_LIBC: Final = ctypes.CDLL(None)


def start(
    argv: Sequence[str | Path], *, farewell: signal.Signals = signal.SIGKILL, **how: Any
) -> "subprocess.Popen[bytes]":
    """Start a child, which is sent *farewell* should this process end before it, by whatever signal; *how* as Popen."""
    return subprocess.Popen(
        argv,
        preexec_fn=lambda: _LIBC.prctl(PR_SET_PDEATHSIG, farewell, 0, 0, 0),  # noqa: PLW1509
        **how,
    )
