from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.hot import Hot
from apps.chassis.telemetry import log
from apps.payments.domain import PaymentNotFoundError
from apps.payments.payment import Payment
from apps.payments.sealing import SealBrokenError, Sealed, Vault

_COLUMNS: Final = "p.id, p.order_ix, p.lease, p.tries, p.key_id, p.wrapped_key, p.sealed"
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
    f"SELECT {_COLUMNS} FROM payments p WHERE p.id = ANY(CAST(:ids AS uuid[])) ORDER BY p.order_ix FOR UPDATE"  # noqa: S608
)
_LOCK_BY_ORDER = Hot(
    f"SELECT {_COLUMNS} FROM payments p WHERE p.order_ix = ANY(CAST(:ixs AS uuid[])) ORDER BY p.order_ix FOR UPDATE"  # noqa: S608
)
_GET = Hot(f"SELECT {_COLUMNS} FROM payments p WHERE p.id = :id")  # noqa: S608
_GET_BY_ORDER = Hot(f"SELECT {_COLUMNS} FROM payments p WHERE p.order_ix = :ix")  # noqa: S608
_TAKE = Hot(
    "WITH due AS (SELECT id FROM payments WHERE due_at <= now() ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED) "  # noqa: S608
    "UPDATE payments p SET due_at = now() + :lease, lease = :holder, tries = least(tries + 1, 1000) "
    f"FROM due WHERE p.id = due.id RETURNING {_COLUMNS}"
)
_SAVE = Hot(
    "UPDATE payments p SET due_at = now() + new.pause, lease = NULL, tries = new.tries, "
    "provider_ix = coalesce(new.provider_ix, p.provider_ix), "
    "key_id = new.key_id, wrapped_key = new.wrapped_key, sealed = new.sealed "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:pauses AS interval[]), CAST(:tries AS smallint[]), "
    "CAST(:providers AS uuid[]), CAST(:key_ids AS text[]), CAST(:wrapped AS bytea[]), CAST(:sealed AS bytea[])) "
    "AS new (id, pause, tries, provider_ix, key_id, wrapped_key, sealed) WHERE p.id = new.id"
)
_SAVE_TAKEN = Hot("UPDATE payments SET key_id = :key_id, wrapped_key = :wrapped_key, sealed = :sealed WHERE id = :id")
_PARK = Hot("UPDATE payments SET due_at = NULL, lease = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")
_WAKE = Hot(
    "UPDATE payments SET due_at = now() WHERE id = (SELECT id FROM payments WHERE id = :id OR provider_ix = :provider "
    "ORDER BY id = :id DESC LIMIT 1) AND lease IS NULL"
)
_ADD_ANSWERS = Hot(
    "INSERT INTO provider_answers (id, payment_id, sealed) "
    "SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:payments AS uuid[]), CAST(:sealed AS bytea[]))"
)
_ADD_NOTICE = Hot("INSERT INTO notices (key, sealed) VALUES (:key, :sealed) ON CONFLICT DO NOTHING RETURNING key")


@dataclass(slots=True)
class Held:
    """A payment as read: who works on it, if anybody, and how often that was begun since it last came to rest."""

    payment: Payment
    lease: UUID | None
    tries: int


def vault(tx: AsyncSession) -> Vault:
    """Return what seals this service's tables: the codec that the chassis was given."""
    return cast("Vault", tx.info["codec"])


def _context(id_: UUID) -> str:
    return f"payments:{id_}"


def _order_ix(tx: AsyncSession, order_id: UUID) -> UUID:
    return vault(tx).blind("order", order_id.bytes)


def _open(tx: AsyncSession, row: Any) -> Held:
    sealed = Sealed(row.key_id, row.wrapped_key, row.sealed)
    return Held(Payment.load(vault(tx).open_record(sealed, _context(row.id))), row.lease, row.tries)


async def add(tx: AsyncSession, payments: Iterable[Payment], *, due: bool) -> set[UUID]:
    """Write payments of orders not heard of before; return the ids of the orders that were new."""
    keeper = vault(tx)
    by_ix = {keeper.blind("order", payment.order_id.bytes): payment for payment in payments}
    ixs = sorted(by_ix)
    fresh = [by_ix[ix] for ix in ixs]
    sealed = [keeper.seal_record(payment.dump(), _context(payment.id)) for payment in fresh]
    values = {
        "ids": [payment.id for payment in fresh],
        "orders": ixs,
        "customers": [keeper.blind("customer", payment.customer_id.bytes) for payment in fresh],
        "due": [due] * len(fresh),
        **_columns(sealed),
    }
    return {by_ix[row.order_ix].order_id for row in await _ADD.run(tx, **values)}


async def lock_by_orders(tx: AsyncSession, order_ids: Iterable[UUID]) -> list[Held]:
    """Lock and return the payments of those orders that were heard of."""
    ixs = [_order_ix(tx, order_id) for order_id in order_ids]
    return [_open(tx, row) for row in await _LOCK_BY_ORDER.run(tx, ixs=ixs)]


async def lock_all(tx: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Held]:
    """Lock and return payments; those that cannot be opened are left for a person to look at."""
    return {held.payment.id: held for held in await _readable(tx, await _LOCK.run(tx, ids=list(ids)))}


async def lock(tx: AsyncSession, id_: UUID) -> Held:
    """Lock and return one, or raise PaymentNotFoundError."""
    return _open(tx, _found(await _LOCK.run(tx, ids=[id_])))


async def lock_by_order(tx: AsyncSession, order_id: UUID) -> Held:
    """Lock and return an order's payment, or raise PaymentNotFoundError."""
    return _open(tx, _found(await _LOCK_BY_ORDER.run(tx, ixs=[_order_ix(tx, order_id)])))


async def get(tx: AsyncSession, id_: UUID) -> Payment:
    """Return one, or raise PaymentNotFoundError."""
    return _open(tx, _found(await _GET.run(tx, id=id_))).payment


async def get_by_order(tx: AsyncSession, order_id: UUID) -> Payment:
    """Return an order's payment, or raise PaymentNotFoundError."""
    return _open(tx, _found(await _GET_BY_ORDER.run(tx, ix=_order_ix(tx, order_id)))).payment


async def take(tx: AsyncSession, holder: UUID, limit: int, lease: timedelta) -> list[Held]:
    """Take payments that are due, for as long as *lease*: other workers pass them by."""
    return await _readable(tx, await _TAKE.run(tx, holder=holder, limit=limit, lease=lease))


async def save(tx: AsyncSession, kept: Sequence[tuple[Held, timedelta | None]]) -> None:
    """Write payments back, free for the next worker after the pause given; None leaves them at rest."""
    if not kept:
        return
    keeper = vault(tx)
    payments = [held.payment for held, _ in kept]
    sealed = [keeper.seal_record(payment.dump(), _context(payment.id)) for payment in payments]
    values = {
        "ids": [payment.id for payment in payments],
        "pauses": [pause for _, pause in kept],
        "tries": [held.tries for held, _ in kept],
        "providers": [_provider_ix(keeper, payment) for payment in payments],
        **_columns(sealed),
    }
    await _SAVE.run(tx, **values)


async def save_taken(tx: AsyncSession, payment: Payment) -> None:
    """Write back a payment that a worker holds: when it is due stays the worker's affair."""
    sealed = vault(tx).seal_record(payment.dump(), _context(payment.id))
    values = {"key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "sealed": sealed.sealed}
    await _SAVE_TAKEN.run(tx, id=payment.id, **values)


async def wake(tx: AsyncSession, payment_id: UUID | None, provider_id: str | None) -> None:
    """Make a payment due now, unless somebody is at it."""
    provider = vault(tx).blind("provider", provider_id.encode()) if provider_id else None
    await _WAKE.run(tx, id=payment_id, provider=provider)


async def add_answers(tx: AsyncSession, answers: Sequence[tuple[UUID, bytes]]) -> None:
    """Keep what the processor said word for word, per payment."""
    if not answers:
        return
    ids = [uuid7() for _ in answers]
    sealed = [vault(tx).seal(raw, f"provider_answers:{id_}") for id_, (_, raw) in zip(ids, answers, strict=True)]
    await _ADD_ANSWERS.run(tx, ids=ids, payments=[id_ for id_, _ in answers], sealed=sealed)


async def add_notice(tx: AsyncSession, event_id: str, body: bytes) -> bool:
    """Keep a webhook; return False for one that is here already."""
    key = vault(tx).blind("notice", event_id.encode())
    return bool(await _ADD_NOTICE.run(tx, key=key, sealed=vault(tx).seal(body, f"notices:{key}")))


def _found(rows: Sequence[Any]) -> Any:
    if not rows:
        raise PaymentNotFoundError("There is no such payment.")
    return rows[0]


def _provider_ix(keeper: Vault, payment: Payment) -> UUID | None:
    named = [attempt.provider_id for attempt in payment.attempts if attempt.provider_id]
    return keeper.blind("provider", named[-1].encode()) if named else None


def _columns(sealed: Sequence[Sealed]) -> dict[str, Any]:
    return {
        "key_ids": [each.key_id for each in sealed],
        "wrapped": [each.wrapped_key for each in sealed],
        "sealed": [each.sealed for each in sealed],
    }


async def _readable(tx: AsyncSession, rows: Sequence[Any]) -> list[Held]:
    """Open what can be opened; one altered record must not stop the payments beside it."""
    opened: list[Held] = []
    broken: list[UUID] = []
    for row in rows:
        try:
            opened.append(_open(tx, row))
        except SealBrokenError as error:
            log.error("payment_unreadable", payment_id=str(row.id), reason=str(error))
            broken.append(row.id)
    if broken:
        await _PARK.run(tx, ids=broken)
    return opened
