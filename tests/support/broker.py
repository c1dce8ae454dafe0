"""The broker as its operator sees it: what waits in it, and what it can lose."""

import socket
from contextlib import ExitStack
from typing import Any

from tests.support.system import System


class Broker:
    """The Valkey of a system."""

    def __init__(self, system: System) -> None:
        self._system = system

    def ask(self, *words: str) -> Any:
        """Send one command and return its answer."""
        with ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", self._system.port(16379)), 10))
            connection.sendall(_encoded("AUTH", self._system.secret("valkey-password")) + _encoded(*words))
            answers = stack.enter_context(connection.makefile("rb"))
            assert _decoded(answers) == "OK"
            return _decoded(answers)

    def length(self, topic: str) -> int:
        """How many messages of *topic* it keeps."""
        return int(self.ask("XLEN", topic))

    def lose(self, topic: str) -> None:
        """Forget all of *topic*, and how far its readers have come."""
        assert self.ask("DEL", topic) == 1

    def waiting(self) -> dict[str, int]:
        """How many messages of each topic some service has not been handed, or has not acknowledged."""
        found: dict[str, int] = {}
        # what a guest has not read when it leaves waits for its return
        readers = {name.removesuffix("-daprd") for name in self._system.status() if name.endswith("-daprd")}
        for topic in self.ask("KEYS", "*"):
            if self.ask("TYPE", topic) != "stream":
                continue
            for group in self.ask("XINFO", "GROUPS", topic):
                told = dict(zip(group[::2], group[1::2], strict=True))
                if told["name"] not in readers:
                    continue
                found[topic] = found.get(topic, 0) + int(told["pending"]) + int(told["lag"] or 0)
        return {topic: count for topic, count in found.items() if count}


def _encoded(*words: str) -> bytes:
    return b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)])


def _decoded(answers: Any) -> Any:
    kind, rest = (line := answers.readline().rstrip(b"\r\n"))[:1], line[1:].decode()
    if kind == b"*":
        return [_decoded(answers) for _ in range(int(rest))]
    if kind == b"$":
        return None if rest == "-1" else answers.read(int(rest) + 2)[:-2].decode()
    assert kind != b"-", rest
    return int(rest) if kind == b":" else rest
