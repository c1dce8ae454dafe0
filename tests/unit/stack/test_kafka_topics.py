"""Kafka's protocol as far as it makes topics, before a broker of a few lines."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stack.errors import StackError
from stack.servers import kafka_topics

pytestmark = pytest.mark.enable_socket


def text(said: str) -> bytes:
    return struct.pack(">h", len(said)) + said.encode()


def result(topic: str, code: int, why: str | None = None) -> bytes:
    return text(topic) + struct.pack(">h", code) + (struct.pack(">h", -1) if why is None else text(why))


@contextmanager
def broker(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Give each request the next of *answers*; keep what was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as requests:
                for answer in answers:
                    (length,) = struct.unpack(">i", requests.read(4))
                    asked.append(requests.read(length))
                    connection.sendall(struct.pack(">ii", len(answer) + 4, 1) + answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            thread.join(10)


LET_IN = struct.pack(">h", 0) + struct.pack(">h", -1) + struct.pack(">i", 0) + struct.pack(">q", 0)


def test_missing_topics_are_made_and_present_ones_are_well() -> None:
    made = struct.pack(">ii", 0, 2) + result("a", 0) + result("b", 36, "it exists")
    with broker(b"\0\0", LET_IN, made) as (port, asked):
        kafka_topics.create(port, "me", "secret", ["b", "a", "b"])
    assert b"\0me\0secret" in asked[1]
    assert asked[2].count(text("b")) == 1
    assert struct.unpack_from(">hh", asked[2]) == (19, 4)


def test_a_refusal_is_told() -> None:
    failed = struct.pack(">ii", 0, 1) + result("a b", 17)
    with broker(b"\0\0", LET_IN, failed) as (port, _), pytest.raises(StackError, match="'a b': 17"):
        kafka_topics.create(port, "me", "secret", ["a b"])
    with broker(b"\0\0", struct.pack(">h", 58) + LET_IN[2:]) as (port, _), pytest.raises(StackError, match="58"):
        kafka_topics.create(port, "me", "wrong", ["a"])


def test_a_broker_that_leaves_in_the_middle_is_told() -> None:
    with broker(b"\0\0") as (port, _), pytest.raises(StackError, match="does not make topics"):
        kafka_topics.create(port, "me", "secret", ["a"])
