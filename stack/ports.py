"""Which ports a system needs, and who holds one that is taken."""

import socket
from pathlib import PurePath

import psutil

from stack.errors import StackError


def refuse_taken(needed: dict[str, int]) -> None:
    """Raise `StackError` naming each needed port that something else listens on, with its pid and command."""
    taken = [(name, port) for name, port in needed.items() if not is_free(port)]
    if not taken:
        return
    holders = _listeners()
    said = "; ".join(f"port {port} ({name}) is held by {holders.get(port, 'another user')}" for name, port in taken[:3])
    more = f"; and {len(taken) - 3} more" if len(taken) > 3 else ""  # noqa: PLR2004 - a line stays readable
    raise StackError(f"{said}{more}: stop it, or set SIDECART_PORT_OFFSET to move all of Sidecart's ports")


def is_free(port: int) -> bool:
    """Tell whether 127.0.0.1:*port* can be listened on now."""
    with socket.socket() as probe:
        # Connections of an earlier run that linger in TIME_WAIT hold nothing up.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _listeners() -> dict[int, str]:
    """Return each listened-on port with `pid N (command)`; processes of other users stay unnamed."""
    found: dict[int, str] = {}
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or connection.pid is None or not connection.laddr:
            continue
        try:
            command = _shortened(psutil.Process(connection.pid).cmdline())
        except psutil.Error:
            command = "unknown command"
        found[connection.laddr.port] = f"pid {connection.pid} ({command})"
    return found


def _shortened(command: list[str]) -> str:
    """Return what tells one program from another; where it is installed would take up the line."""
    program, *others = command or ["unknown command"]
    return " ".join([PurePath(program).name, *others])[:60]
