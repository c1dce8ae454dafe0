"""When days are reconciled, and what was found: due, taken, and written once it is done."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.app import Chassis
from apps.chassis.hot import Hot
from apps.chassis.telemetry import log
from apps.payments import balances, books, reconciliation, records
from apps.payments.domain import PaymentError
from apps.payments.reconciliation import Report

_WANT = Hot(
    "INSERT INTO reconciliations (day, due_at) VALUES (:day, now()) "
    "ON CONFLICT (day) DO UPDATE SET due_at = least(reconciliations.due_at, now())"
)
_SCHEDULE = Hot("INSERT INTO reconciliations (day, due_at) VALUES (:day, now()) ON CONFLICT DO NOTHING")
# Whoever takes a day and dies leaves it to others a quarter of an hour later.
_TAKE = Hot(
    "UPDATE reconciliations SET due_at = now() + interval '15 minutes' WHERE day = (SELECT day FROM reconciliations "
    "WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING day"
)
_WRITE = Hot("UPDATE reconciliations SET due_at = NULL, written_at = now(), sealed = :sealed WHERE day = :day")
_GET = Hot("SELECT written_at, sealed FROM reconciliations WHERE day = :day AND sealed IS NOT NULL")


class NotReconciledError(PaymentError):
    """Nobody has compared that day yet."""


async def want(tx: AsyncSession, day: date) -> None:
    """Have a day compared at the next tick, again if it was before."""
    await _WANT.run(tx, day=day)


async def get(tx: AsyncSession, day: date) -> dict[str, Any]:
    """Return what was found, or raise NotReconciledError."""
    rows = await _GET.run(tx, day=day)
    if not rows:
        raise NotReconciledError(f"{day} is not reconciled yet; POST to the same path has it done within a minute.")
    found: dict[str, Any] = orjson.loads(records.vault(tx).open(rows[0].sealed, _context(day)))
    return found | {"written_at": rows[0].written_at}


async def run_due(chassis: Chassis) -> None:
    """Compare the day before once it is over, and what else is wanted; then verify the books."""
    async with chassis.database.transaction() as tx:
        await _SCHEDULE.run(tx, day=reconciliation.yesterday(datetime.now(UTC)))
        taken = await _TAKE.run(tx)
    for row in taken:
        report = await reconciliation.reconcile(chassis.database, chassis.extra, row.day)
        async with chassis.database.transaction() as tx:
            await _WRITE.run(tx, day=row.day, sealed=records.vault(tx).seal(report.dump(), _context(row.day)))
        _tell(report)
        await verify(chassis)


async def verify(chassis: Chassis) -> books.Audit:
    """Audit the ledger and say so where it does not fit."""
    async with chassis.database.transaction() as tx:
        kept = await balances.newest(tx)
    audit = await books.audit(chassis.database, kept.sums, kept.upto)
    if audit.fault:
        log.error("ledger_fault_found", fault=audit.fault, remedy="compare with the processor, correct by an entry")
    else:
        log.info("ledger_audited", payments=audit.payments, entries=audit.entries)
    return audit


def _tell(report: Report) -> None:
    counts = {"matched": report.matched, **report.counts}
    if any(report.counts.values()):
        log.error("reconciliation_differs", day=str(report.day), remedy=f"GET /reconciliations/{report.day}", **counts)
    else:
        log.info("reconciled", day=str(report.day), **counts)


def _context(day: date) -> str:
    return f"reconciliations:{day}"
