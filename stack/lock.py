"""One system per home, held by the kernel: it is free again the moment its holder is gone."""

import fcntl
import os

from stack import records
from stack.errors import StackError
from stack.home import Home


def take(home: Home) -> int:
    """Return the held lock's descriptor; raise `StackError` that says who is up when it is taken."""
    descriptor = os.open(home.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StackError(_who(home)) from error
    return descriptor


def _who(home: Home) -> str:
    record = records.running(home)
    if record is None:
        return f"another `sidecart up` is at work in {home.root}: wait for it, or stop it"
    if record.offset != home.offset:
        return (
            f"{home.root} is in use by the system with SIDECART_PORT_OFFSET={record.offset} (pid {record.pid}): "
            "set SIDECART_HOME to another directory, or stop that one first"
        )
    return f"already running (pid {record.pid}): `sidecart status`"
