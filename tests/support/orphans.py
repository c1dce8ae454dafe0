"""What a test starts must not outlive the run, however that ends: killed, it cannot clean up by itself."""

import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

GUARD = "guard-of-the-test-run"
"""What its command line calls it."""


@contextmanager
def seen_to(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Generator[None]:
    """Have *command* run where this process ends before the block does, by whatever signal."""
    # The guard reads from a pipe that nobody writes to, and that ends with us. In a session of its own it survives what
    # is sent to our group.
    guard = subprocess.Popen(
        ["/bin/sh", "-c", 'env -i cat > /dev/null; exec "$@"', GUARD, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()
