"""Orders as they are watched: what happens is read from the timeline, whichever replica wrote it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.chassis.problems import ProblemError
from apps.chassis.telemetry import log
from apps.orders.store import bounded
from apps.orders.tables import Key
from apps.orders.views import TimelineView, entry_view

# One query for all that this process's callers watch; the bounds keep it within those orders' months.
_NEWS = Hot("""
SELECT t.order_id, t.entry, t.at, t.from_status, t.to_status, t.payment_status, t.trigger, t.actor, t.cause, t.note
FROM unnest(CAST(:ids AS uuid[]), CAST(:afters AS integer[])) AS w(id, after)
CROSS JOIN LATERAL (
    SELECT * FROM order_timeline WHERE order_id = w.id AND order_id BETWEEN :lowest AND :highest AND entry > w.after
        AND customer_id = ANY(CAST(:customers AS uuid[]))
) t
ORDER BY t.order_id, t.entry
""")
_QUIET_S: Final = 10.0
"""Silence that proxies on the way may take for an end."""


class _Watcher:
    """One who watches one order."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.news: asyncio.Queue[TimelineView] = asyncio.Queue()

    def tell(self, row: Any) -> None:
        if row.entry > self.after:
            self.after = row.entry
            self.news.put_nowait(entry_view(row))


class Streams:
    """Who watches what in this process."""

    def __init__(self, database: Database, *, poll: timedelta, last_for: timedelta, most: int) -> None:
        self._database = database
        self._poll_s = poll.total_seconds()
        self._last_s = last_for.total_seconds()
        self._most = most
        self._watchers: defaultdict[Key, set[_Watcher]] = defaultdict(set)
        self._count = 0
        self._joined = asyncio.Event()
        self._closing = asyncio.Event()

    def watch(self, order: Key, after: int) -> AsyncGenerator[bytes]:
        """Stream what happens to an order after entry *after*, and what has happened since; 503 where too many do."""
        if self._count >= self._most:
            raise ProblemError(
                503, "overloaded", "Too many orders are watched; try again shortly.", {"Retry-After": "5"}
            )
        return self._stream(order, after)

    async def _stream(self, order: Key, after: int) -> AsyncGenerator[bytes]:
        watcher, ends = _Watcher(after), time.monotonic() + self._last_s
        self._watchers[order].add(watcher)
        self._count += 1
        self._joined.set()
        try:
            yield b"retry: 1000\n\n"
            while (left := ends - time.monotonic()) > 0 and not self._closing.is_set():
                with suppress(TimeoutError):
                    yield _event(await asyncio.wait_for(watcher.news.get(), min(left, _QUIET_S)))
                    continue
                yield b": nothing new\n\n"
        finally:
            self._count -= 1
            self._watchers[order].discard(watcher)
            if not self._watchers[order]:
                del self._watchers[order]

    async def keep_looking(self) -> None:
        """Look for news while anybody watches, until cancelled."""
        while True:
            if not self._watchers:
                self._joined.clear()
                await self._joined.wait()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # the next look finds what this one did not
                log.warning("watching_failed", error=type(error).__name__)
            await asyncio.sleep(self._poll_s)

    async def look(self) -> None:
        """Tell everybody what is new."""
        afters = {key: min(watcher.after for watcher in group) for key, group in self._watchers.items() if group}
        keys = {key.id: key for key in afters}
        if not afters:
            return
        async with self._database.reading() as connection:
            rows = await _NEWS.run(connection, **bounded(list(afters)), afters=list(afters.values()))
        for row in rows:
            for watcher in tuple(self._watchers.get(keys[row.order_id], ())):
                watcher.tell(row)

    def close(self) -> None:
        """Let every stream end at its next breath."""
        self._closing.set()


def _event(entry: TimelineView) -> bytes:
    return f"id: {entry.sequence}\nevent: {entry.trigger}\ndata: {entry.model_dump_json()}\n\n".encode()
