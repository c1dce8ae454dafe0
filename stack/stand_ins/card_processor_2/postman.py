import asyncio
import hmac
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson

from stack.stand_ins.card_processor_2.book import Book
from stack.stand_ins.card_processor_2.events import Events
from stack.stand_ins.card_processor_2.settling import settle_due
from stack.stand_ins.faults import FaultBox

if TYPE_CHECKING:
    from stack.stand_ins.sender import Sender

_LOG: Final = logging.getLogger(__name__)
_BATCH: Final = 64
_LANES: Final = 8
# As often as Checkout.com tries; its waits are minutes to hours
_ATTEMPTS: Final = 9
_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 60.0


def signature(body: bytes, key: str) -> str:
    """Return the `Cko-Signature` header for *body*."""
    return hmac.digest(key.encode(), body, "sha256").hex()


class Postman:
    """Lets what was accepted come true, and sends the queued events until each was answered 2xx."""

    def __init__(self, book: Book, events: Events, faults: FaultBox) -> None:
        self._book = book
        self._events = events
        self._faults = faults
        self._sender: Sender | None = None

    async def run(self) -> None:
        """Work until cancelled; what is not delivered then is delivered after the next start."""
        try:
            while True:
                self._events.wake.clear()
                settles = settle_due(self._book, self._events, self._faults.draw())
                due = self._due()
                if due:
                    await asyncio.gather(*(self._send(lane) for lane in (due[at::_LANES] for at in range(_LANES))))
                else:
                    await self._rest(settles)
        finally:
            if self._sender is not None:
                await self._sender.close()

    def _due(self) -> list[tuple[int, str, int, bytes]]:
        query = "SELECT seq, workflow, attempt, body FROM deliveries WHERE due <= ? ORDER BY due, seq DESC LIMIT ?"
        return self._book.db.execute(query, (time.time(), _BATCH)).fetchall()

    async def _rest(self, settles: float | None) -> None:
        row = self._book.db.execute("SELECT min(due) FROM deliveries").fetchone()
        soonest = min((at for at in (row[0], settles) if at is not None), default=None)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if soonest is None else max(soonest - time.time(), 0.001)):
                await self._events.wake.wait()

    async def _send(self, lane: list[tuple[int, str, int, bytes]]) -> None:
        for seq, workflow, attempt, body in lane:
            row = self._book.db.execute("SELECT body FROM workflows WHERE id = ?", (workflow,)).fetchone()
            target = orjson.loads(row[0]) if row else None
            headers = {"Cko-Signature": signature(body, target["key"])} if target else {}
            done = target is None or await self._http().send(target["url"], body, headers)
            if done or attempt + 1 >= _ATTEMPTS:
                if not done:
                    _LOG.warning("webhook to %s given up after %d attempts", workflow, _ATTEMPTS)
                self._book.db.execute("DELETE FROM deliveries WHERE seq = ?", (seq,))
            else:
                due = time.time() + min(_FIRST_RETRY_S * 2.0**attempt, _LONGEST_RETRY_S)
                self._book.db.execute("UPDATE deliveries SET attempt = attempt + 1, due = ? WHERE seq = ?", (due, seq))

    def _http(self) -> "Sender":
        if self._sender is None:
            from stack.stand_ins.sender import Sender  # noqa: PLC0415 - see there

            self._sender = Sender(_LANES)
        return self._sender
