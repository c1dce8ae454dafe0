"""What people and processors ask for: load, decide, record; what is to be called for is the worker's."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import telemetry
from apps.chassis.auth import Principal, Role
from apps.contracts.base import Money
from apps.payments import decisions, store, wakeup
from apps.payments.domain import IllegalTransitionError, PaymentNotFoundError
from apps.payments.payment import Payment
from apps.payments.provider import Provider
from apps.payments.records import Held

_NOW: Final = timedelta()


def _now() -> datetime:
    return datetime.now(UTC)


async def see(tx: AsyncSession, caller: Principal, payment_id: UUID) -> Payment:
    """Return a payment to its owner or to support; to anybody else there is none."""
    return _visible(await store.get(tx, payment_id), caller)


async def list_by_order(tx: AsyncSession, caller: Principal, order_id: UUID) -> list[Payment]:
    """Return the payments of an order that the caller may see."""
    try:
        return [_visible(await store.get_by_order(tx, order_id), caller)]
    except PaymentNotFoundError:
        return []


async def pay_again(tx: AsyncSession, caller: Principal, order_id: UUID, method: str) -> Payment:
    """Plan another attempt after a decline."""
    held = await store.lock_by_order(tx, order_id)
    if held.payment.customer_id != caller.id:
        raise PaymentNotFoundError("There is no such payment.")
    if held.payment.cancelled:
        raise IllegalTransitionError("The order was cancelled.")
    decisions.pay_again(held.payment, method, _now())
    await _due(tx, held)
    return held.payment


async def capture(tx: AsyncSession, payment_id: UUID, amount: Money | int | None) -> Payment:
    """Promise to take what is held, or a part; the worker does."""
    held = await store.lock(tx, payment_id)
    decisions.ask_capture(held.payment, _money(held.payment, amount))
    await _due(tx, held)
    return held.payment


async def void(tx: AsyncSession, payment_id: UUID) -> Payment:
    """Promise to let go of what is held; the worker does."""
    held = await store.lock(tx, payment_id)
    decisions.ask_void(held.payment)
    await _due(tx, held)
    return held.payment


async def refund(tx: AsyncSession, payment_id: UUID, amount: Money | int | None, reason: str | None) -> Payment:
    """Promise a refund; the worker makes it."""
    held = await store.lock(tx, payment_id)
    decisions.ask_refund(held.payment, _money(held.payment, amount), reason, _now())
    await _due(tx, held)
    return held.payment


async def hear(tx: AsyncSession, provider: Provider, body: bytes, headers: Mapping[str, str]) -> None:
    """Keep a webhook and have the processor asked about its payment: what it says in passing is not believed."""
    notice = provider.notice(body, headers)
    if await store.add_notice(tx, notice, body):
        await store.wake(tx, notice.payment_id, notice.provider_id)
        wakeup.wake_after(tx)


async def _due(tx: AsyncSession, held: Held) -> None:
    held.payment.trace = telemetry.kept(telemetry.traceparent()) or held.payment.trace
    if held.lease:
        await store.save_taken(tx, held.payment)
    else:
        held.tries = 0
        await store.save(tx, [(held, _NOW)])
    wakeup.wake_after(tx)


def _money(payment: Payment, amount: Money | int | None) -> Money | None:
    return payment.money(amount) if isinstance(amount, int) else amount


def _visible(payment: Payment, caller: Principal) -> Payment:
    if payment.customer_id != caller.id and not caller.has(Role.SUPPORT):
        raise PaymentNotFoundError("There is no such payment.")
    return payment
