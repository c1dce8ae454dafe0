"""An order that hears nothing of its payment asks: its own fact or the answer may have been lost on the way."""

from datetime import UTC, datetime

from apps.chassis import outbox
from apps.chassis.app import Chassis
from apps.chassis.telemetry import log
from apps.contracts.orders import OrderPlaced
from apps.contracts.payments import PaymentCaptured, PaymentDeclined
from apps.orders import clients, details, facts, store
from apps.orders.clients import PaymentState
from apps.orders.details import Reference
from apps.orders.domain import PaymentStatus
from apps.orders.tables import Order

_DECLINED = "requires_payment_method"


async def ask_about_waiting(chassis: Chassis) -> None:
    """Ask about the orders that have waited longest; each is settled by itself, as if the lost fact had come."""
    settings = chassis.settings
    async with chassis.database.transaction() as tx:
        waiting = await store.take_waiting(tx, settings.ask_after, settings.ask_batch)
    for order in waiting:
        try:
            await _ask(chassis, order)
        except Exception as error:  # noqa: BLE001  # one order's trouble must not hold up those behind it
            log.warning("ask_failed", order_id=str(order.id), error=type(error).__name__)


async def _ask(chassis: Chassis, order: Order) -> None:
    """Ask about one order; a decline that is known already is no news, and is not to be charged again."""
    state = await clients.payment_state(chassis.sidecar, order.id)
    if order.payment_status == PaymentStatus.DECLINED and not (state and state.captured.amount):
        return
    if state is None:
        await _tell_again(chassis, order)
    else:
        await _settle(chassis, order, state)


async def _tell_again(chassis: Chassis, order: Order) -> None:
    """Record the placing once more: payments claims an order once, however often it hears of it."""
    (document,) = await details.get(chassis.documents, [Reference(order.id, order.document_revision)])
    fact = OrderPlaced(
        sequence=1,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        total=order.price,
        payment_method=document.payment_method,
        placed_at=order.placed_at,
    )
    async with chassis.database.transaction() as tx:
        outbox.record(tx, fact)


async def _settle(chassis: Chassis, order: Order, state: PaymentState) -> None:
    async with chassis.database.transaction() as tx:
        if state.captured.amount:
            await facts.captured(tx, [_captured(order, state)])
        elif state.status == _DECLINED:
            await facts.declined(tx, [_declined(order, state)])


def _captured(order: Order, state: PaymentState) -> PaymentCaptured:
    return PaymentCaptured(
        sequence=state.sequence,
        payment_id=state.payment_id,
        order_id=order.id,
        customer_id=order.customer_id,
        order_number=order.number,
        amount=state.captured,
        captured_at=datetime.now(UTC),
    )


def _declined(order: Order, state: PaymentState) -> PaymentDeclined:
    return PaymentDeclined(
        sequence=state.sequence,
        payment_id=state.payment_id,
        order_id=order.id,
        customer_id=order.customer_id,
        order_number=order.number,
        decline_code=state.decline_code or "unknown",
        advice=state.advice or "try another payment method",
        declined_at=datetime.now(UTC),
    )
