import asyncio
from datetime import timedelta

from sqlalchemy import text

from apps.chassis.database import Database
from apps.chassis.settings import ServiceSettings
from apps.chassis.telemetry import log

_EVERY_S = 60.0
_BATCH = 2_000
# SKIP LOCKED: every replica may sweep at once, each takes other rows.
_SWEEP = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE {column} < now() - CAST(:age AS interval) LIMIT :batch FOR UPDATE SKIP LOCKED
))
"""


async def sweep(database: Database, settings: ServiceSettings) -> int:
    """Delete what has outlived its retention, in small transactions; return how many rows."""
    swept = 0
    for table, column, age in (
        ("outbox", "published_at", settings.outbox_retention),
        ("inbox", "handled_at", settings.inbox_retention),
        ("idempotent_replies", "created_at", settings.idempotency_retention),
    ):
        swept += await _sweep_table(database, table, column, age)
    return swept


async def _sweep_table(database: Database, table: str, column: str, age: timedelta) -> int:
    statement = text(_SWEEP.format(table=table, column=column))
    swept = 0
    while True:
        async with database.transaction() as tx:
            result = await tx.execute(statement, {"age": age, "batch": _BATCH})
        deleted: int = result.rowcount  # type: ignore[attr-defined]  # DML gives a CursorResult
        swept += deleted
        if deleted < _BATCH:
            return swept


async def keep_house(database: Database, settings: ServiceSettings) -> None:
    """Sweep now and again until cancelled."""
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            await sweep(database, settings)
        except Exception as error:  # noqa: BLE001  # what is not swept now is swept next time
            log.warning("sweep_failed", error=type(error).__name__)
