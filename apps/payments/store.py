from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.hot import Hot
from apps.chassis.telemetry import log
from apps.payments import records
from apps.payments.domain import PaymentNotFoundError
from apps.payments.ledger import Transaction
from apps.payments.payment import Payment
from apps.payments.provider import Notice
from apps.payments.records import Answers, Held, Kept
from apps.payments.sealing import SealBrokenError

COLUMNS: Final = "p.id, p.order_ix, p.lease, p.tries, p.key_id, p.wrapped_key, p.sealed"
_ADD = Hot(
    "INSERT INTO payments (id, order_ix, customer_ix, due_at, key_id, wrapped_key, sealed) "
    "SELECT id, order_ix, customer_ix, CASE WHEN due THEN now() END, key_id, wrapped_key, sealed "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS uuid[]), CAST(:customers AS uuid[]), CAST(:due AS bool[]), "
    "CAST(:key_ids AS text[]), CAST(:wrapped AS bytea[]), CAST(:sealed AS bytea[])) "
    "AS new (id, order_ix, customer_ix, due, key_id, wrapped_key, sealed) "
    "ON CONFLICT (order_ix) DO NOTHING RETURNING order_ix"
)
# Every statement that waits for rows does so in the order of order_ix, or two of them could wait for each other.
_LOCK = Hot(
    f"SELECT {COLUMNS} FROM payments p WHERE p.id = ANY(CAST(:ids AS uuid[])) ORDER BY p.order_ix FOR UPDATE"  # noqa: S608
)
_LOCK_BY_ORDER = Hot(
    f"SELECT {COLUMNS} FROM payments p WHERE p.order_ix = ANY(CAST(:ixs AS uuid[])) ORDER BY p.order_ix FOR UPDATE"  # noqa: S608
)
_GET = Hot(f"SELECT {COLUMNS} FROM payments p WHERE p.id = :id")  # noqa: S608
_GET_MANY = Hot(f"SELECT {COLUMNS} FROM payments p WHERE p.id = ANY(CAST(:ids AS uuid[]))")  # noqa: S608
_GET_BY_ORDER = Hot(f"SELECT {COLUMNS} FROM payments p WHERE p.order_ix = :ix")  # noqa: S608
_TAKE = Hot(
    "WITH due AS (SELECT id FROM payments WHERE due_at <= now() ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED) "  # noqa: S608
    "UPDATE payments p SET due_at = now() + :lease, lease = :holder, tries = least(tries + 1, 1000) "
    f"FROM due WHERE p.id = due.id RETURNING {COLUMNS}"
)
_SET = (
    "due_at = now() + new.pause, lease = NULL, tries = new.tries, "
    "provider_ix = coalesce(new.provider_ix, p.provider_ix), "
    "key_id = new.key_id, wrapped_key = new.wrapped_key, sealed = new.sealed"
)
_NEW = (
    "CAST(:ids AS uuid[]), CAST(:pauses AS interval[]), CAST(:tries AS smallint[]), "
    "CAST(:providers AS uuid[]), CAST(:key_ids AS text[]), CAST(:wrapped AS bytea[]), CAST(:sealed AS bytea[])"
)
_NEW_NAMES = "id, pause, tries, provider_ix, key_id, wrapped_key, sealed"
_SAVE = Hot(f"UPDATE payments p SET {_SET} FROM unnest({_NEW}) AS new ({_NEW_NAMES}) WHERE p.id = new.id")  # noqa: S608
# A record's wrapped key is random and new with every write: where it is as it was read, so is the record.
_SAVE_UNTOUCHED = Hot(
    "WITH locked AS (SELECT id, lease, wrapped_key FROM payments WHERE id = ANY(CAST(:ids AS uuid[])) "  # noqa: S608
    f"ORDER BY order_ix FOR UPDATE), saved AS (UPDATE payments p SET {_SET} "
    f"FROM unnest({_NEW}, CAST(:leases AS uuid[]), CAST(:seen AS bytea[])) AS new ({_NEW_NAMES}, lease, seen) "
    "JOIN locked ON locked.id = new.id AND locked.lease = new.lease AND locked.wrapped_key = new.seen "
    "WHERE p.id = new.id RETURNING p.id), "
    "told AS (INSERT INTO provider_answers (id, payment_id, sealed) SELECT answer.id, payment_id, answer.sealed "
    "FROM unnest(CAST(:answer_ids AS uuid[]), CAST(:answered AS uuid[]), CAST(:answers AS bytea[])) "
    "AS answer (id, payment_id, sealed) JOIN saved ON saved.id = payment_id), "
    f"booked AS ({records.BOOK} JOIN saved ON saved.id = payment_id) SELECT id FROM saved"
)
_SAVE_TAKEN = Hot("UPDATE payments SET key_id = :key_id, wrapped_key = :wrapped_key, sealed = :sealed WHERE id = :id")
# A worker's name in pg_locks: both halves of a 64-bit key stand there as oids.
_KEY = "hashtextextended(CAST({} AS text), 0)"
_SIGN_IN = Hot(f"SELECT pg_advisory_lock({_KEY.format('CAST(:holder AS uuid)')})")
_FREE = Hot(
    "UPDATE payments SET due_at = now(), lease = NULL WHERE id IN (SELECT id FROM payments WHERE lease IS NOT NULL "  # noqa: S608
    "AND due_at IS NOT NULL AND lease NOT IN (SELECT gone.lease FROM payments gone JOIN pg_locks l "
    f"ON (CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint) = {_KEY.format('gone.lease')} "
    "WHERE gone.lease IS NOT NULL AND gone.due_at IS NOT NULL AND l.locktype = 'advisory' AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) "
    "FOR UPDATE SKIP LOCKED) RETURNING id"
)
# Never due, and yet told from a payment at rest: the index on due_at finds what was set aside.
_PARK = Hot("UPDATE payments SET due_at = 'infinity', lease = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")
_UNPARK = Hot(
    "UPDATE payments SET due_at = now() WHERE id IN "
    "(SELECT id FROM payments WHERE due_at = 'infinity' FOR UPDATE SKIP LOCKED) RETURNING id"
)
_WAKE = Hot(
    "UPDATE payments SET due_at = now() WHERE id = (SELECT id FROM payments WHERE id = :id OR provider_ix = :provider "
    "ORDER BY id = :id DESC LIMIT 1) AND lease IS NULL"
)
_ADD_ANSWERS = Hot(
    "INSERT INTO provider_answers (id, payment_id, sealed) "
    "SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:payments AS uuid[]), CAST(:sealed AS bytea[]))"
)
_BOOK = Hot(records.BOOK)
_ADD_NOTICE = Hot(
    "INSERT INTO notices (key, payment_id, sealed) VALUES (:key, coalesce(CAST(:id AS uuid), "
    "(SELECT id FROM payments WHERE provider_ix = :provider LIMIT 1)), :sealed) ON CONFLICT DO NOTHING RETURNING key"
)


async def add(tx: AsyncSession, payments: Iterable[Payment], *, due: bool) -> set[UUID]:
    """Write payments of orders not heard of before; return the ids of the orders that were new."""
    keeper = records.vault(tx)
    by_ix = {keeper.blind("order", payment.order_id.bytes): payment for payment in payments}
    ixs = sorted(by_ix)
    fresh = [by_ix[ix] for ix in ixs]
    sealed = [keeper.seal_record(payment.dump(), records.context(payment.id)) for payment in fresh]
    values = {
        "ids": [payment.id for payment in fresh],
        "orders": ixs,
        "customers": [keeper.blind("customer", payment.customer_id.bytes) for payment in fresh],
        "due": [due] * len(fresh),
        **records.columns(sealed),
    }
    return {by_ix[row.order_ix].order_id for row in await _ADD.run(tx, **values)}


async def lock_by_orders(tx: AsyncSession, order_ids: Iterable[UUID]) -> list[Held]:
    """Lock and return the payments of those orders that were heard of."""
    ixs = [records.order_ix(tx, order_id) for order_id in order_ids]
    return [records.read(tx, row) for row in await _LOCK_BY_ORDER.run(tx, ixs=ixs)]


async def lock_all(tx: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Held]:
    """Lock and return payments; those that cannot be opened are set aside until a worker starts."""
    return {held.payment.id: held for held in await _readable(tx, await _LOCK.run(tx, ids=list(ids)))}


async def lock(tx: AsyncSession, id_: UUID) -> Held:
    """Lock and return one, or raise PaymentNotFoundError."""
    return records.read(tx, _found(await _LOCK.run(tx, ids=[id_])))


async def lock_by_order(tx: AsyncSession, order_id: UUID) -> Held:
    """Lock and return an order's payment, or raise PaymentNotFoundError."""
    return records.read(tx, _found(await _LOCK_BY_ORDER.run(tx, ixs=[records.order_ix(tx, order_id)])))


async def get(tx: AsyncSession, id_: UUID) -> Payment:
    """Return one, or raise PaymentNotFoundError."""
    return records.read(tx, _found(await _GET.run(tx, id=id_))).payment


async def get_by_order(tx: AsyncSession, order_id: UUID) -> Payment:
    """Return an order's payment, or raise PaymentNotFoundError."""
    return records.read(tx, _found(await _GET_BY_ORDER.run(tx, ix=records.order_ix(tx, order_id)))).payment


async def get_many(tx: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Payment]:
    """Return those that exist."""
    return {row.id: records.read(tx, row).payment for row in await _GET_MANY.run(tx, ids=list(ids))}


async def take(tx: AsyncSession, holder: UUID, limit: int, lease: timedelta) -> list[Held]:
    """Take payments that are due, for as long as *lease*: other workers pass them by."""
    return await _readable(tx, await _TAKE.run(tx, holder=holder, limit=limit, lease=lease))


async def sign_in(connection: AsyncConnection, holder: UUID) -> None:
    """Show that the worker *holder* is there, for as long as *connection* is."""
    await _SIGN_IN.run(connection, holder=holder)


async def free(tx: AsyncSession) -> int:
    """Make due at once what workers hold that are gone; return how many payments."""
    return len(await _FREE.run(tx))


async def unpark(tx: AsyncSession) -> int:
    """Make due what could not be opened, since a key may be back; return how many payments."""
    return len(await _UNPARK.run(tx))


async def save(tx: AsyncSession, kept: Sequence[Kept]) -> None:
    """Write payments back, free for the next worker after their pause."""
    if kept:
        await _SAVE.run(tx, **records.values(tx, kept))


async def save_untouched(
    tx: AsyncSession, kept: Sequence[Kept], answers: Answers, booked: Sequence[Transaction]
) -> set[UUID]:
    """Write back what nobody wrote or took since it was read, with what was said; return what that was, all locked."""
    if not kept:
        return set()
    leases, seen = [held.lease for held, _ in kept], [held.seen for held, _ in kept]
    ids, sealed = records.sealed_answers(tx, answers)
    told = {"answer_ids": ids, "answered": [id_ for id_, _ in answers], "answers": sealed}
    books = records.booked(tx, booked)
    rows = await _SAVE_UNTOUCHED.run(tx, **records.values(tx, kept), **told, **books, leases=leases, seen=seen)
    return {row.id for row in rows}


async def save_taken(tx: AsyncSession, payment: Payment) -> None:
    """Write back a payment that a worker holds: when it is due stays the worker's affair."""
    sealed = records.vault(tx).seal_record(payment.dump(), records.context(payment.id))
    values = {"key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "sealed": sealed.sealed}
    await _SAVE_TAKEN.run(tx, id=payment.id, **values)


async def wake(tx: AsyncSession, payment_id: UUID | None, provider_id: str | None) -> None:
    """Make a payment due now, unless somebody is at it."""
    provider = records.vault(tx).blind("provider", provider_id.encode()) if provider_id else None
    await _WAKE.run(tx, id=payment_id, provider=provider)


async def add_answers(tx: AsyncSession, answers: Answers) -> None:
    """Keep what the processor said."""
    if answers:
        ids, sealed = records.sealed_answers(tx, answers)
        await _ADD_ANSWERS.run(tx, ids=ids, payments=[id_ for id_, _ in answers], sealed=sealed)


async def add_booked(tx: AsyncSession, booked: Sequence[Transaction]) -> None:
    """Write transactions into the ledger."""
    if booked:
        await _BOOK.run(tx, **records.booked(tx, booked))


async def add_notice(tx: AsyncSession, notice: Notice, body: bytes) -> bool:
    """Keep a webhook, whatever its type; return False for one that is here already."""
    keeper = records.vault(tx)
    key = keeper.blind("notice", notice.event_id.encode())
    provider = keeper.blind("provider", notice.provider_id.encode()) if notice.provider_id else None
    sealed = keeper.seal(body, f"notices:{key}")
    return bool(await _ADD_NOTICE.run(tx, key=key, id=notice.payment_id, provider=provider, sealed=sealed))


def _found(rows: Sequence[Any]) -> Any:
    if not rows:
        raise PaymentNotFoundError("There is no such payment.")
    return rows[0]


async def _readable(tx: AsyncSession, rows: Sequence[Any]) -> list[Held]:
    """Open what can be opened; one altered record must not stop the payments beside it."""
    opened: list[Held] = []
    broken: list[UUID] = []
    for row in rows:
        try:
            opened.append(records.read(tx, row))
        except SealBrokenError as error:
            log.error("payment_unreadable", payment_id=str(row.id), reason=str(error))
            broken.append(row.id)
    if broken:
        await _PARK.run(tx, ids=broken)
    return opened
