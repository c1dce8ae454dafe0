"""Reading the ledger: one payment's entries, those of a time, and whether the whole fits."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.payments import ledger, records
from apps.payments.ledger import Transaction
from apps.payments.payment import Payment
from apps.payments.sealing import SealBrokenError, Sealed, Vault

_PAGE: Final = 1_000
_FIRST: Final = UUID(int=0)
_ROW: Final = "l.payment_id, l.number, l.booked_at, l.key_id, l.wrapped_key, l.sealed"
_OF_PAYMENT = Hot(f"SELECT {_ROW} FROM ledger l WHERE l.payment_id = :id ORDER BY l.number")  # noqa: S608
_AFTER = Hot(
    f"SELECT {_ROW} FROM ledger l WHERE (l.payment_id, l.number) > (:id, :number) "  # noqa: S608
    "ORDER BY l.payment_id, l.number LIMIT :limit"
)
_OF_DAY = Hot(
    f"SELECT {_ROW} FROM ledger l WHERE l.booked_at >= :start AND l.booked_at < :end "  # noqa: S608
    "AND (l.payment_id, l.number) > (:id, :number) ORDER BY l.payment_id, l.number LIMIT :limit"
)
# In no order: the index on booked_at knows ranges of pages only.
_BOOKED_BETWEEN = Hot(
    f"SELECT {_ROW} FROM ledger l WHERE l.booked_at >= :start AND l.booked_at < :end"  # noqa: S608
)
_BETWEEN = Hot(
    f"SELECT {_ROW} FROM ledger l WHERE l.payment_id > :after AND l.payment_id <= :upto "  # noqa: S608
    "ORDER BY l.payment_id, l.number"
)
_PAYMENTS = Hot("SELECT id, key_id, wrapped_key, sealed FROM payments WHERE id > :after ORDER BY id LIMIT :limit")


Sums = Counter[tuple[str, str]]
"""Balances by account and currency: above nought debits prevail."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A transaction and when it was booked."""

    transaction: Transaction
    at: datetime


@dataclass(frozen=True, slots=True)
class Audit:
    """How much was looked at, and the first thing that does not fit, if anything does not."""

    payments: int
    entries: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Closed:
    """What an audit adds up of the entries that were booked before a moment."""

    upto: datetime
    sums: Sums

    def note(self, transactions: Sequence[Transaction], rows: Sequence[Any]) -> None:
        """Add what belongs to it of one payment's."""
        both = zip(transactions, rows, strict=True)
        add_up(self.sums, (Booked(each, row.booked_at) for each, row in both if row.booked_at < self.upto))


async def entries_of(tx: AsyncSession, payment_id: UUID) -> list[Booked]:
    """Return one payment's transactions in the order they were booked."""
    return [_booked(tx, row) for row in await _OF_PAYMENT.run(tx, id=payment_id)]


async def all_pages(database: Database) -> AsyncIterator[list[Booked]]:
    """Return the whole ledger, page by page."""
    async for page in _pages(database, _AFTER, {}):
        yield page


async def booked_between(tx: AsyncSession, start: datetime, end: datetime) -> list[Booked]:
    """Return what was booked from *start* until before *end*."""
    return [_booked(tx, row) for row in await _BOOKED_BETWEEN.run(tx, start=start, end=end)]


def add_up(sums: Sums, booked: Iterable[Booked]) -> None:
    """Add transactions to the sums of their accounts."""
    for each in booked:
        for entry in each.transaction.entries:
            sums[entry.account, each.transaction.currency] += entry.amount


async def of_day(database: Database, day: date) -> AsyncIterator[list[Booked]]:
    """Return what was booked on a day of UTC, page by page."""
    bounds = {"start": f"{day} 00:00Z", "end": f"{day + timedelta(days=1)} 00:00Z"}
    async for page in _pages(database, _OF_DAY, bounds):
        yield page


async def _pages(database: Database, query: Hot, bounds: dict[str, Any]) -> AsyncIterator[list[Booked]]:
    after, number = _FIRST, 0
    while True:
        async with database.transaction() as tx:
            rows = await query.run(tx, **bounds, id=after, number=number, limit=_PAGE)
            page = [_booked(tx, row) for row in rows]
        if not page:
            return
        yield page
        after, number = rows[-1].payment_id, rows[-1].number


async def audit(database: Database, kept: Sums | None = None, kept_upto: datetime | None = None) -> Audit:
    """Hold every entry against its seal, its neighbours and its payment's record, page by page in constant memory.

    With *kept*, the entries booked before *kept_upto* have to come to these sums as well.
    """
    after, payments, entries, sums = _FIRST, 0, 0, Sums()
    while True:
        async with database.transaction() as tx:
            # records and entries as of one moment
            await tx.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            page = await _PAYMENTS.run(tx, after=after, limit=_PAGE)
            upto = page[-1].id if len(page) == _PAGE else UUID(int=(1 << 128) - 1)
            rows = await _BETWEEN.run(tx, after=after, upto=upto)
            closed = Closed(kept_upto, sums) if kept_upto else None
            fault = _first_fault(records.vault(tx), page, rows, closed)
            payments, entries, after = payments + len(page), entries + 2 * len(rows), upto
        if fault or len(page) < _PAGE:
            return Audit(payments, entries, fault or (_differing(sums, kept) if kept is not None else None))


def _differing(sums: Sums, kept: Sums) -> str | None:
    for account, code in sorted(sums.keys() | kept.keys()):
        here, there = sums[account, code], kept[account, code]
        if here != there:
            return f"entries of {account} in {code} come to {here}, the balance that was kept to {there}"
    return None


def _first_fault(keeper: Vault, payments: Sequence[Any], rows: Sequence[Any], closed: "Closed | None") -> str | None:
    booked: dict[UUID, list[Any]] = {}
    for row in rows:
        booked.setdefault(row.payment_id, []).append(row)
    by_id = {row.id: row for row in payments}
    for id_ in sorted(by_id.keys() | booked.keys()):
        try:
            record = by_id.get(id_)
            payment = Payment.load(keeper.open_record(_sealed(record), records.context(id_))) if record else None
            transactions = [_open(keeper, row) for row in booked.get(id_, ())]
        except SealBrokenError as error:
            return str(error)
        if fault := next(ledger.faults(transactions, payment), None):
            return fault
        if closed:
            closed.note(transactions, booked.get(id_, ()))
    return None


def _booked(tx: AsyncSession, row: Any) -> Booked:
    return Booked(_open(records.vault(tx), row), row.booked_at)


def _open(keeper: Vault, row: Any) -> Transaction:
    context = records.ledger_context(row.payment_id, row.number)
    return Transaction.load(row.payment_id, row.number, keeper.open_record(_sealed(row), context))


def _sealed(row: Any) -> Sealed:
    return Sealed(row.key_id, row.wrapped_key, row.sealed)
