"""What payments says about orders: locked, settled and told by the batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.contracts.orders import Line, OrderPaid
from apps.contracts.payments import PaymentCaptured, PaymentDeclined, PaymentFact, PaymentRefunded, RefundFailed
from apps.orders import settling, store
from apps.orders.domain import AmountDiffersError, OrderNotFoundError, Trigger, settle
from apps.orders.settling import Entry, Moving

F = TypeVar("F", bound=PaymentFact)

_ACTOR = "service:payments"


@dataclass(frozen=True, slots=True)
class News:
    """A fact as an order takes it; `refunded` is the sum returned so far, in minor units."""

    trigger: Trigger
    note: str | None = None
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class Move(Generic[F]):
    """What a fact did to its order."""

    fact: F
    order: Moving
    entry: Entry


async def captured(tx: AsyncSession, facts: Sequence[PaymentCaptured]) -> None:
    """Mark the orders paid, and promise to say so with all that was bought.

    An order that was cancelled meanwhile stays so: payments has heard of it, and returns the money.
    """
    moves = await _settle(tx, facts, _capture)
    paid = [move for move in moves if move.entry.after.order is not move.entry.before.order]
    lines = await store.lines_of(tx, [move.order.id for move in paid])
    for move in paid:
        outbox.record(tx, _paid(move, lines[move.order.id]), caused_by=move.fact)


async def declined(tx: AsyncSession, facts: Sequence[PaymentDeclined]) -> None:
    """Note the refusals; the orders stay placed, and another payment method may do."""
    await _settle(tx, facts, lambda _order, fact: News(Trigger.PAYMENT_DECLINED, f"{fact.decline_code}: {fact.advice}"))


async def refunded(tx: AsyncSession, facts: Sequence[PaymentRefunded]) -> None:
    """Note what went back."""
    await _settle(tx, facts, _refund)


async def refund_failed(tx: AsyncSession, facts: Sequence[RefundFailed]) -> None:
    """Note for staff that money did not go back."""
    await _settle(tx, facts, lambda _order, fact: News(Trigger.REFUND_FAILED, f"refund {fact.refund_id}"))


def _capture(order: Moving, fact: PaymentCaptured) -> News:
    if fact.amount != order.total:
        raise AmountDiffersError(f"payment {fact.payment_id} captured another amount than order {order.id} costs")
    return News(Trigger.PAYMENT_CAPTURED)


def _refund(order: Moving, fact: PaymentRefunded) -> News:
    everything = fact.refunded.amount >= order.total.amount
    trigger = Trigger.PAYMENT_REFUNDED if everything else Trigger.PAYMENT_PARTLY_REFUNDED
    return News(trigger, f"refund {fact.refund_id}", fact.refunded.amount)


async def _settle(tx: AsyncSession, facts: Sequence[F], read: Callable[[Moving, F], News]) -> list[Move[F]]:
    """Apply each fact to its order; those that come too late to say anything new do nothing."""
    orders = await settling.lock(tx, [fact.order_id for fact in facts])
    moves: list[Move[F]] = []
    for fact in facts:
        if (order := orders.get(fact.order_id)) is None:
            raise OrderNotFoundError(fact.order_id)
        news = read(order, fact)
        after = settle(order.standing, news.trigger)
        if after is None:
            continue
        order.revision += 1
        cause = f"payment:{fact.payment_id}"
        entry = Entry(order.id, order.revision, order.standing, after, news.trigger, cause, news.note)
        order.standing = after
        # the sum so far: the larger is the later, in whatever order they arrive
        order.refunded = max(order.refunded, news.refunded)
        moves.append(Move(fact, order, entry))
    moved = {move.order.id: move.order for move in moves}
    await settling.write(tx, list(moved.values()), [move.entry for move in moves], _ACTOR, datetime.now(UTC))
    return moves


def _paid(move: Move[PaymentCaptured], lines: Sequence[Line]) -> OrderPaid:
    return OrderPaid(
        sequence=move.entry.entry,
        order_id=move.order.id,
        customer_id=move.order.customer_id,
        number=move.order.number,
        total=move.order.total,
        lines=tuple(lines),
        paid_at=move.fact.captured_at,
    )
