"""Processes that tests start by themselves, and that none of them outlives: the kernel ends a child with its parent."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stack.launch import bind_to_parent


def start(
    argv: Sequence[str | Path], *, farewell: signal.Signals = signal.SIGKILL, **how: Any
) -> "subprocess.Popen[bytes]":
    """Start a child, which is sent *farewell* should this process end before it, by whatever signal; *how* as Popen."""
    parent = os.getpid()
    return subprocess.Popen(argv, preexec_fn=lambda: bind_to_parent(parent, farewell), **how)  # noqa: PLW1509
