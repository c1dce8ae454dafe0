"""When each order passed each point, by the records that the system keeps anyway: nobody is asked once per order."""

import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

import orjson
import psycopg

from stack import environment
from tests.support.system import System

PAGE: Final = 500
TOPICS: Final = ("order-placed", "payment-captured", "order-paid")
CONFIRMED: Final = ("Order ", " is confirmed")
Marks = dict[str, float]
"""Order id -> Unix seconds."""


@dataclass(slots=True)
class Trail:
    """What the records say; all times are Unix seconds."""

    published: dict[str, Marks] = field(default_factory=dict[str, Marks])
    """By topic: when the broker took the fact."""
    captured: Marks = field(default_factory=dict[str, float])
    """When payments had the processor's answer."""
    paid: Marks = field(default_factory=dict[str, float])
    mailed: Marks = field(default_factory=dict[str, float])
    mails: Counter[str] = field(default_factory=Counter[str])
    charges: Counter[str] = field(default_factory=Counter[str])
    """By the processor's own record."""


def read(system: System, since: float, after_mail: int, ids: Iterable[str]) -> Trail:
    """Read everything that was recorded since, once."""
    trail = Trail(charges=_charges(system, since))
    for topic in TOPICS:
        marks = trail.published.setdefault(topic, {})
        for at, fact in _stream(system, topic, since):
            marks.setdefault(fact["order_id"], at)
            if topic == "payment-captured":
                trail.captured.setdefault(fact["order_id"], _seconds(fact["captured_at"]))
    numbers, trail.paid = _orders(system, list(ids))
    for number, at in _mails(system, after_mail):
        if (order_id := numbers.get(number)) is not None:
            trail.mails[order_id] += 1
            trail.mailed.setdefault(order_id, at)
    return trail


def _orders(system: System, ids: list[str]) -> tuple[dict[str, str], Marks]:
    """Return order id by number, and when each order became paid by its own timeline."""
    parameters = {"ids": [UUID(id_) for id_ in ids]}
    with psycopg.connect(system.secret("orders-database-url")) as orders:
        named = orders.execute("SELECT number, id FROM orders WHERE id = ANY(%(ids)s)", parameters).fetchall()
        settled = orders.execute(
            "SELECT order_id, min(at) FROM order_timeline WHERE order_id = ANY(%(ids)s) AND to_status = 'paid'"
            " GROUP BY order_id",
            parameters,
        ).fetchall()
    return {number: str(id_) for number, id_ in named}, {str(id_): at.timestamp() for id_, at in settled}


def mails_so_far(system: System) -> tuple[int, int]:
    """Return how many mails there are, and the newest one's id."""
    newest = system.stand_in("mailbox", "/messages?limit=1")
    return newest["total"], newest["items"][-1]["id"] if newest["items"] else 0


def _mails(system: System, after: int) -> Iterator[tuple[str, float]]:
    start, end = CONFIRMED
    while items := system.stand_in("mailbox", f"/messages?after={after}&limit={PAGE}")["items"]:
        for mail in items:
            subject = str(mail["subject"])
            if subject.startswith(start) and subject.endswith(end):
                yield subject.removeprefix(start).removesuffix(end), _seconds(mail["at"])
        after = items[-1]["id"]


def _charges(system: System, since: float) -> Counter[str]:
    charges: Counter[str] = Counter()
    after, more = "", True
    while more:
        page = system.processor(f"/v1/payment_intents?limit=100&created[gte]={int(since)}{after}")
        charges.update(one["metadata"]["order_id"] for one in page["data"] if one["status"] == "succeeded")
        more = page["has_more"]
        after = f"&starting_after={page['data'][-1]['id']}" if page["data"] else ""
    return charges


def _stream(system: System, topic: str, since: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield when the broker took each fact, to the millisecond, and the fact."""
    address = ("127.0.0.1", system.port(environment.VALKEY_PORT))
    with socket.create_connection(address, timeout=10) as valkey, valkey.makefile("rb") as answers:
        valkey.sendall(f"AUTH {system.secret('valkey-password')}\r\n".encode())
        _reply(answers)
        first = f"{int(since * 1000)}-0"
        while True:
            valkey.sendall(f"XRANGE {topic} {first} + COUNT {PAGE}\r\n".encode())
            entries = _reply(answers)
            for key, values in entries:
                content = dict(zip(values[::2], values[1::2], strict=True))
                yield int(key.split(b"-")[0]) / 1000, orjson.loads(content[b"data"])["data"]
            if len(entries) < PAGE:
                return
            first = f"({entries[-1][0].decode()}"


def _reply(answers: BinaryIO) -> Any:
    """Read one value of the Redis protocol, version 2."""
    line = answers.readline().rstrip()
    kind, rest = line[:1], line[1:]
    if kind == b"*":
        return [_reply(answers) for _ in range(int(rest))]
    if kind == b"$":
        return answers.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
    if kind == b"-":
        raise OSError(f"valkey: {rest.decode()}")
    return rest


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
