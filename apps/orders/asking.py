"""An order that hears nothing of its payment asks: its own fact or the answer may have been lost on the way."""

from datetime import UTC, datetime
from typing import Any

from apps.chassis import outbox
from apps.chassis.app import Chassis
from apps.chassis.telemetry import log
from apps.contracts.orders import OrderPlaced
from apps.contracts.payments import PaymentAuthorised, PaymentCaptured, PaymentDeclined
from apps.orders import clients, details, facts, store
from apps.orders.clients import PaymentState
from apps.orders.details import Reference
from apps.orders.states import PaymentStatus
from apps.orders.tables import Order

_DECLINED = "requires_payment_method"
_HELD = "requires_capture"
_SETTLED = "succeeded"
_UNKNOWN = "unknown"


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
    """Take what payments answers as the fact that was lost."""
    async with chassis.database.transaction() as tx:
        if _all_settled(order, state):
            await facts.settled(tx, _captured(order, state))
        elif _misses_change(order, state):
            await facts.tell_change_again(tx, order.key)
        elif state.captured.amount > (order.captured or 0):
            await facts.captured(tx, [_captured(order, state)])
        elif state.status == _HELD:
            await facts.authorised(tx, [_authorised(order, state)])
        elif state.status == _DECLINED:
            await facts.declined(tx, [_declined(order, state)])
        elif state.status == _UNKNOWN:
            await facts.unknown(tx, order.key)


def _all_settled(order: Order, state: PaymentState) -> bool:
    """Tell whether payments holds just what the order costs, and knows what it costs."""
    kept = state.captured.amount - (state.refunded.amount if state.refunded else 0)
    known = state.amount is None or state.amount == order.price
    return state.status == _SETTLED and known and state.captured.currency == order.currency and kept == order.total


def _misses_change(order: Order, state: PaymentState) -> bool:
    """Tell whether payments goes by a price that an edit has changed since."""
    return state.amount is not None and state.amount != order.price


def _about(order: Order, state: PaymentState) -> dict[str, Any]:
    return {
        "sequence": state.sequence,
        "payment_id": state.payment_id,
        "order_id": order.id,
        "customer_id": order.customer_id,
        "order_number": order.number,
    }


def _captured(order: Order, state: PaymentState) -> PaymentCaptured:
    return PaymentCaptured(
        **_about(order, state), amount=state.captured, captured=state.captured, captured_at=datetime.now(UTC)
    )


def _authorised(order: Order, state: PaymentState) -> PaymentAuthorised:
    return PaymentAuthorised(
        **_about(order, state), amount=state.amount or order.price, authorised_at=datetime.now(UTC)
    )


def _declined(order: Order, state: PaymentState) -> PaymentDeclined:
    return PaymentDeclined(
        **_about(order, state),
        decline_code=state.decline_code or "unknown",
        advice=state.advice or "try another payment method",
        captured=state.captured,
        declined_at=datetime.now(UTC),
    )
