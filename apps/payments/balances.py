"""What each account comes to: sums that are carried on from what is closed, and the rest added up at the moment.

The ledger stays the truth, and is never read twice for a sum. Sums as of a moment are kept, sealed for that moment;
they may be thrown away at any time, and the audit holds them against the entries.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.chassis.telemetry import log
from apps.payments import books, records
from apps.payments.books import Booked, Sums
from apps.payments.sealing import SealBrokenError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Carried on this often at most, so that as much is read at the moment.
_EVERY: Final = timedelta(minutes=1)
# Few enough rows to hold at once: the index on booked_at finds ranges of pages, and gives no order to go on by.
_SLICE: Final = timedelta(minutes=2)
# A row is booked at the start of its transaction: what is older than all transactions under way comes no more.
_CLOSED = Hot(
    "SELECT least(now() - interval '5 seconds', (SELECT min(xact_start) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid())) AS at"
)
_NEWEST = Hot("SELECT upto, sealed FROM ledger_balances ORDER BY upto DESC LIMIT 1")
_KEEP = Hot("INSERT INTO ledger_balances (upto, sealed) VALUES (:upto, :sealed) ON CONFLICT DO NOTHING")
_carrying = asyncio.Lock()
_DROP_OLDER = Hot("DELETE FROM ledger_balances WHERE upto < :upto")


@dataclass(frozen=True, slots=True)
class Balances:
    """Each account's sum, by currency, of all that was booked before `upto`."""

    upto: datetime = _EPOCH
    sums: Sums = field(default_factory=Counter)


async def newest(tx: AsyncSession) -> Balances:
    """Return the sums that were kept last; none, or such as cannot be opened, are those of before the first entry."""
    rows = await _NEWEST.run(tx)
    if not rows:
        return Balances()
    try:
        kept = orjson.loads(records.vault(tx).open(rows[0].sealed, _context(rows[0].upto)))
    except SealBrokenError as error:
        log.error("balances_unreadable", reason=str(error), remedy="DELETE FROM ledger_balances; they are made anew")
        return Balances()
    return Balances(_moment(rows[0].upto), Counter({(account, code): amount for account, code, amount in kept}))


async def now(database: Database) -> Sums:
    """Return what each account comes to at the moment."""
    async with database.transaction() as tx:
        kept = await newest(tx)
    return await _added(database, kept, datetime.now(UTC) + _SLICE)


async def carry_on(database: Database) -> None:
    """Keep the sums of all that is closed, unless that was done a moment ago or is being done."""
    if _carrying.locked():
        return
    async with _carrying:
        await _carry_on(database)


async def _carry_on(database: Database) -> None:
    async with database.transaction() as tx:
        kept = await newest(tx)
        closed: datetime = (await _CLOSED.run(tx))[0].at
    if closed - kept.upto < _EVERY:
        return
    sums = await _added(database, kept, closed)
    upto = _microseconds(closed)
    dumped = orjson.dumps([(account, code, sums[account, code]) for account, code in sorted(sums)])
    async with database.transaction() as tx:
        await _KEEP.run(tx, upto=upto, sealed=records.vault(tx).seal(dumped, _context(upto)))
        await _DROP_OLDER.run(tx, upto=upto)


async def _added(database: Database, kept: Balances, upto: datetime) -> Sums:
    """Return kept sums with all that was booked from then until *upto*."""
    sums = Counter(kept.sums)
    pages = books.all_pages(database) if kept.upto == _EPOCH else _slices(database, kept.upto, upto)
    async for page in pages:
        books.add_up(sums, (each for each in page if each.at < upto))
    return sums


async def _slices(database: Database, start: datetime, upto: datetime) -> AsyncIterator[list[Booked]]:
    while start < upto:
        end = min(start + _SLICE, upto)
        async with database.transaction() as tx:
            yield await books.booked_between(tx, start, end)
        start = end


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _context(upto: int) -> str:
    return f"ledger_balances:{upto}"
