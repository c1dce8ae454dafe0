"""Topics made before sidecars ask for them: each that is missing costs a reader a second, and some have fifteen."""

import socket
import struct
from collections.abc import Iterable
from typing import Final

from stack.errors import StackError

ANSWERS_S: Final = 30
# Versions that Kafka 4 still speaks, from before its protocol had optional fields.
_HANDSHAKE, _AUTHENTICATE, _CREATE = (17, 1), (36, 1), (19, 4)
_EXISTS, _BY_THE_BROKERS_OWN_DEFAULT = 36, -1


def create(port: int, user: str, password: str, topics: Iterable[str]) -> None:
    """Create what is missing, with as many partitions and copies as the broker makes by itself."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWERS_S) as connection:
            _ask(connection, _HANDSHAKE, _text("PLAIN"))
            told = b"\0".join((b"", user.encode(), password.encode()))
            (refused,) = struct.unpack_from(">h", _ask(connection, _AUTHENTICATE, struct.pack(">i", len(told)) + told))
            if refused:
                raise StackError(f"kafka refuses our account with {refused}: see `sidecart logs kafka`")
            failed = _results(_ask(connection, _CREATE, _creation(sorted(set(topics)))))
    except (OSError, struct.error) as error:
        raise StackError(f"kafka does not make topics ({error}): see `sidecart logs kafka`") from error
    if wrong := {topic: code for topic, code in failed.items() if code not in {0, _EXISTS}}:
        raise StackError(f"kafka did not make {wrong}: see its protocol's error codes, and `sidecart logs kafka`")


def _creation(topics: list[str]) -> bytes:
    default = struct.pack(">ih", _BY_THE_BROKERS_OWN_DEFAULT, _BY_THE_BROKERS_OWN_DEFAULT)
    nothing = struct.pack(">ii", 0, 0)
    listed = b"".join(_text(topic) + default + nothing for topic in topics)
    return struct.pack(">i", len(topics)) + listed + struct.pack(">i?", ANSWERS_S * 1000, False)


def _results(answer: bytes) -> dict[str, int]:
    found: dict[str, int] = {}
    _throttled, count = struct.unpack_from(">ii", answer)
    at = 8
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        topic = answer[at + 2 : at + 2 + length].decode()
        found[topic], said = struct.unpack_from(">hh", answer, at + 2 + length)
        at += 6 + length + max(0, said)
    return found


def _ask(connection: socket.socket, api: tuple[int, int], body: bytes) -> bytes:
    """Send one request and return its answer, without the number that pairs the two."""
    request = struct.pack(">hhi", *api, 1) + _text("sidecart") + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _read(connection, 4))
    return _read(connection, length)[4:]


def _read(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = connection.recv(length - len(found))
        if not more:
            raise OSError("it closed the connection")
        found += more
    return found


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
