"""Reads from a streaming replica, so long as it is there and not far behind; else from the database itself.

Who wrote, through whichever process, reads from the database itself until the replica is known to have it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from apps.chassis.app import Chassis
from apps.chassis.database import Database, engine_for, is_outage
from apps.chassis.hot import Hot
from apps.chassis.telemetry import log

R = TypeVar("R")

# The snapshot is taken before the position: whatever it shows as committed lies before that in the log.
_WRITTEN = text("SELECT CAST(pg_current_snapshot() AS text), CAST(pg_current_wal_insert_lsn() AS text)")
# Null where this is no replica at all: then it is the database, which is never behind.
_CAUGHT_UP = text("SELECT coalesce(pg_last_wal_replay_lsn() >= CAST(:position AS pg_lsn), NOT pg_is_in_recovery())")
# In order, and the last thing that a transaction locks: nobody waits for another in a circle.
_MARK = Hot("""
INSERT INTO order_writers (caller_id, wrote)
SELECT caller_id, pg_current_xact_id() FROM unnest(CAST(:callers AS uuid[])) AS c(caller_id) ORDER BY caller_id
ON CONFLICT (caller_id) DO UPDATE SET wrote = excluded.wrote
""")
_WROTE_SINCE = Hot("""
SELECT 1 FROM order_writers
WHERE caller_id = :caller AND NOT pg_visible_in_snapshot(wrote, CAST(:seen AS pg_snapshot))
""")
_LOOKS_PER_GRACE = 6


class Reads:
    """Where this process reads orders."""

    def __init__(self, database: Database, replica: AsyncEngine | None, grace: timedelta) -> None:
        self._database = database
        self._replica = replica.execution_options(isolation_level="AUTOCOMMIT") if replica else None
        self._grace_s = grace.total_seconds()
        self._fresh_at = float("-inf")
        """The replica has everything that was written before this moment."""
        self._seen = ""
        """What was committed then, as a snapshot."""

    async def mark(self, tx: AsyncSession, callers: Collection[UUID]) -> None:
        """Note, as the last thing in *tx*, that *callers* wrote in it."""
        if self._replica is not None and callers:
            await _MARK.run(tx, callers=list(set(callers)))

    def near(self) -> bool:
        """Tell whether the replica is there, and less than the grace behind."""
        return time.monotonic() - self._fresh_at < self._grace_s

    async def run(self, caller: UUID, question: Callable[[AsyncConnection], Awaitable[R]]) -> R:
        """Ask *question* for *caller*: of the replica, and of the database itself where that cannot answer."""
        if self._replica is not None and self.near():
            seen = self._seen
            async with self._database.reading() as connection:
                if await _WROTE_SINCE.run(connection, caller=caller, seen=seen):
                    return await question(connection)
            try:
                async with self._replica.connect() as connection:
                    return await question(connection)
            except Exception as error:
                if not is_outage(error):
                    raise
                self._gone(error)
        async with self._database.reading() as connection:
            return await question(connection)

    def _gone(self, error: Exception) -> None:
        self._fresh_at = float("-inf")
        log.warning("replica_unavailable", error=type(error).__name__)

    async def look(self) -> None:
        """Find out how far the replica is."""
        if self._replica is None:
            return
        try:
            async with asyncio.timeout(self._grace_s):
                sampled_at = time.monotonic()
                async with self._database.reading() as connection:
                    seen, position = (await connection.execute(_WRITTEN)).one()
                async with self._replica.connect() as connection:
                    # nothing here could tell us sooner: it is another server that catches up
                    while not await connection.scalar(_CAUGHT_UP, {"position": position}):  # noqa: ASYNC110
                        await asyncio.sleep(self._grace_s / _LOOKS_PER_GRACE / 4)
                self._fresh_at, self._seen = sampled_at, seen
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            self._gone(error)

    async def keep_looking(self) -> None:
        """Look again and again until cancelled."""
        while self._replica is not None:
            await self.look()
            await asyncio.sleep(self._grace_s / _LOOKS_PER_GRACE)

    async def close(self) -> None:
        """Give the replica's connections back."""
        if self._replica is not None:
            await self._replica.dispose()


def reads_of(chassis: Chassis) -> Reads:
    """Return where *chassis* reads, by its settings."""
    url = chassis.settings.database_replica_url
    replica = engine_for(url.get_secret_value(), chassis.settings.database_pool) if url else None
    return Reads(chassis.database, replica, chassis.settings.replica_grace)
