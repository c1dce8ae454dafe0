import asyncio
import hmac
import logging
import time
from contextlib import suppress
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Final

import orjson

from stack.stand_ins.card_processor.book import Book
from stack.stand_ins.card_processor.events import Events
from stack.stand_ins.card_processor.refunds import fail_late
from stack.stand_ins.database import transaction

if TYPE_CHECKING:
    from stack.stand_ins.sender import Sender

_LOG: Final = logging.getLogger(__name__)
_BATCH: Final = 64
_LANES: Final = 8
_ATTEMPTS: Final = 16
_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 60.0

# sequence number, due time, attempt, event, endpoint
Delivery = tuple[int, float, int, str, str]


def signature(body: bytes, secret: str, at: int) -> str:
    """Return the `Stripe-Signature` header for *body* sent at *at* (Unix seconds)."""
    mac = hmac.new(secret.encode(), b"%d.%b" % (at, body), sha256).hexdigest()
    return f"t={at},v1={mac}"


def retry_delay(attempt: int) -> float:
    """Return the seconds to wait after failed attempt number *attempt*, the first being 1."""
    return min(_FIRST_RETRY_S * 2.0 ** (attempt - 1), _LONGEST_RETRY_S)


class Postman:
    """Sends the queued deliveries until each was answered 2xx, and makes late refund failures come true."""

    def __init__(self, book: Book, events: Events) -> None:
        self._book = book
        self._events = events
        self._under_way: set[int] = set()
        self._lanes = asyncio.Semaphore(_LANES)
        self._sender: Sender | None = None

    async def run(self) -> None:
        """Work until cancelled; what is not delivered then is delivered after the next start."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._events.wake.clear()
                    now = time.time()
                    self._fail_refunds(now)
                    for _, group in groupby(self._due(now), key=lambda row: row[1]):
                        await self._lanes.acquire()
                        tasks.create_task(self._send(list(group)))
                    await self._rest(now)
        finally:
            if self._sender is not None:
                await self._sender.close()

    def _due(self, now: float) -> list[Delivery]:
        rows = self._book.db.execute(
            "SELECT seq, due, attempt, event, endpoint FROM deliveries WHERE due <= ? ORDER BY due, seq DESC LIMIT ?",
            (now, _BATCH + len(self._under_way)),
        ).fetchall()
        fresh = [row for row in rows if row[0] not in self._under_way]
        self._under_way.update(row[0] for row in fresh)
        return fresh

    def _fail_refunds(self, now: float) -> None:
        query = "SELECT refund FROM late_failures WHERE due <= ?"
        for (key,) in self._book.db.execute(query, (now,)).fetchall():
            with transaction(self._book.db):
                fail_late(self._book, self._events, key)

    def pause(self, now: float) -> float | None:
        """Return the seconds until the next work that was not due at *now*, or None if there is none.

        *now* must be the moment `_due` looked at: what falls due between two looks would otherwise wait for ever.
        """
        query = "SELECT due FROM late_failures UNION ALL SELECT due FROM deliveries WHERE due > ? ORDER BY 1 LIMIT 1"
        row = self._book.db.execute(query, (now,)).fetchone()
        return max(0.0, row[0] - time.time()) if row is not None else None

    async def _rest(self, now: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._events.wake.wait(), self.pause(now))

    async def _send(self, group: list[Delivery]) -> None:
        """Send deliveries one after the other, so that the order within the group is the order of arrival."""
        try:
            for delivery in group:
                await self._send_one(delivery)
        finally:
            self._under_way.difference_update(row[0] for row in group)
            self._lanes.release()
            self._events.wake.set()

    async def _send_one(self, delivery: Delivery) -> None:
        key, _, attempt, event, endpoint = delivery
        target = self._one("we", endpoint)
        told = self._one("evt", event)
        if target is None or told is None:
            self._book.db.execute("DELETE FROM deliveries WHERE seq = ?", (key,))
            return
        document = orjson.loads(target)
        signed = signature(told, document["secret"], int(time.time()))
        delivered = await self._http().send(document["url"], told, {"Stripe-Signature": signed})
        if delivered or attempt + 1 >= _ATTEMPTS:
            if not delivered:
                _LOG.warning("webhook %s to %s given up after %d attempts", event, document["url"], _ATTEMPTS)
            self._book.db.execute("DELETE FROM deliveries WHERE seq = ?", (key,))
        else:
            due = time.time() + retry_delay(attempt + 1)
            self._book.db.execute("UPDATE deliveries SET attempt = attempt + 1, due = ? WHERE seq = ?", (due, key))

    def _http(self) -> "Sender":
        if self._sender is None:
            from stack.stand_ins.sender import Sender  # noqa: PLC0415 - see there

            self._sender = Sender(_LANES)
        return self._sender

    def _one(self, kind: str, key: str) -> bytes | None:
        row = self._book.db.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (key, kind)).fetchone()
        return bytes(row[0]) if row is not None else None
