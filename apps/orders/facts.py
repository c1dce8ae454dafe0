"""What payments says about orders: locked, settled and told by the batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.contracts.base import Event
from apps.contracts.orders import Line, OrderChanged, OrderPaid
from apps.contracts.payments import (
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentFact,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
)
from apps.orders import settling, store
from apps.orders.domain import AmountDiffersError, OrderNotFoundError, settle
from apps.orders.money import trigger_of_refund
from apps.orders.settling import Entry, Moving
from apps.orders.states import LEFT, OrderStatus, Trigger
from apps.orders.tables import Key

F = TypeVar("F", bound=PaymentFact)

ACTOR = "service:payments"


@dataclass(frozen=True, slots=True)
class News:
    """A fact as an order takes it; *ordered* where an older one must not undo a newer one."""

    trigger: Trigger
    note: str | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Move(Generic[F]):
    """What a fact did to its order."""

    fact: F
    order: Moving
    entry: Entry
    first_paid: bool


async def captured(tx: AsyncSession, facts: Sequence[PaymentCaptured]) -> None:
    """Take what was captured; who has paid all of it is told so once, with all that was bought.

    An order that was called off meanwhile stays so: payments has heard of it, and returns the money.
    """
    moves = await _settle(tx, facts, _capture)
    await tell_paid(tx, [(move.order, move.fact) for move in moves if move.first_paid])


async def authorised(tx: AsyncSession, facts: Sequence[PaymentAuthorised]) -> None:
    """Note what is held: the order may be sent, and is paid when it is."""
    await _settle(tx, facts, _authorise)


async def declined(tx: AsyncSession, facts: Sequence[PaymentDeclined]) -> None:
    """Note the refusals; the orders stay where they are, and another payment method may do."""
    await _settle(tx, facts, _decline)


async def voided(tx: AsyncSession, facts: Sequence[PaymentVoided]) -> None:
    """Note that nothing is held any more."""
    await _settle(tx, facts, _void)


async def refunded(tx: AsyncSession, facts: Sequence[PaymentRefunded]) -> None:
    """Note what went back."""
    await _settle(tx, facts, _refund)


async def refund_failed(tx: AsyncSession, facts: Sequence[RefundFailed]) -> None:
    """Note for staff that money did not go back."""
    await _settle(tx, facts, lambda _order, fact: News(Trigger.REFUND_FAILED, f"refund {fact.refund_id}"))


async def settled(tx: AsyncSession, fact: PaymentCaptured) -> None:
    """Take payments' word that it keeps what the order costs, whatever went back and forth before."""
    order = await settling.lock_one(tx, _key(fact))
    so_far = (fact.captured or fact.amount).amount
    # an edit that was taken back before payments heard of it returned nothing
    order.money.overpaid = min(order.money.overpaid, max(0, so_far - order.total.amount))
    await settling.write(tx, [order], [], ACTOR, datetime.now(UTC))
    await captured(tx, [fact])


async def unknown(tx: AsyncSession, key: Key) -> None:
    """Note that payments itself does not know yet what became of the charge."""
    order = await settling.lock_one(tx, key)
    if after := settle(order.standing, Trigger.PAYMENT_UNKNOWN):
        entry = order.move(after, Trigger.PAYMENT_UNKNOWN, "every-10s")
        await settling.write(tx, [order], [entry], ACTOR, datetime.now(UTC))


async def tell_change_again(tx: AsyncSession, key: Key) -> None:
    """Promise once more to say what the order costs: payments goes by the highest sequence it has heard."""
    order = await settling.lock_one(tx, key)
    lines = (await store.lines_of(tx, [key]))[key.id]
    now = datetime.now(UTC)
    outbox.record(tx, changed(order, order.revision, lines, now))


def changed(order: Moving, sequence: int, lines: Sequence[Line], at: datetime) -> OrderChanged:
    """Return the fact that an order is another than it was."""
    return OrderChanged(
        sequence=sequence,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        total=order.total,
        lines=tuple(lines),
        changed_at=at,
    )


def _capture(order: Moving, fact: PaymentCaptured) -> News:
    so_far = fact.captured or fact.amount
    if so_far.currency != order.total.currency:
        raise AmountDiffersError(f"payment {fact.payment_id} captured another currency than order {order.id} costs")
    covered = order.money.captures(so_far.amount, order.total.amount)
    if order.standing.order in LEFT and order.money.refunded >= order.money.captured:
        # the refund overtook it, when nobody knew yet how little was captured
        return News(Trigger.PAYMENT_REFUNDED)
    if covered:
        return News(Trigger.PAYMENT_CAPTURED)
    return News(Trigger.PAYMENT_FELL_SHORT, f"{so_far.amount} of {order.total.amount} {so_far.currency} captured")


def _authorise(order: Moving, fact: PaymentAuthorised) -> News:
    order.money.authorised = fact.amount.amount
    enough = fact.amount.currency == order.total.currency and fact.amount.amount >= order.total.amount
    return News(Trigger.PAYMENT_AUTHORISED if enough else Trigger.PAYMENT_FELL_SHORT, ordered=True)


def _decline(order: Moving, fact: PaymentDeclined) -> News:
    if fact.captured:
        order.money.captures(fact.captured.amount, order.total.amount)
    return News(Trigger.PAYMENT_DECLINED, f"{fact.decline_code}: {fact.advice}", ordered=True)


def _void(order: Moving, _fact: PaymentVoided) -> News:
    order.money.authorised = 0
    return News(Trigger.PAYMENT_VOIDED, ordered=True)


def _refund(order: Moving, fact: PaymentRefunded) -> News:
    # the sum so far: the larger is the later, in whatever order they arrive
    order.money.refunded = max(order.money.refunded, fact.refunded.amount)
    stands = order.standing.order not in LEFT
    trigger = trigger_of_refund(order.standing, order.money, order.total.amount, stands=stands)
    return News(trigger, f"refund {fact.refund_id}")


async def _settle(tx: AsyncSession, facts: Sequence[F], read: Callable[[Moving, F], News]) -> list[Move[F]]:
    """Apply each fact to its order; those that come too late to say anything new move nothing."""
    orders = await settling.lock(tx, [_key(fact) for fact in facts])
    moves: list[Move[F]] = []
    now = datetime.now(UTC)
    for fact in facts:
        if (order := orders.get(fact.order_id)) is None:
            raise OrderNotFoundError(fact.order_id)
        stale = fact.sequence < order.money.sequence
        held = order.money.authorised
        news = read(order, fact)
        if news.ordered and stale:
            order.money.authorised = held
            continue
        order.money.sequence = max(order.money.sequence, fact.sequence)
        first = news.trigger is Trigger.PAYMENT_CAPTURED and first_paid(order)
        after = settle(order.standing, news.trigger) or (order.standing if first else None)
        if after is None:
            continue
        if first:
            order.paid_at = now
        entry = order.move(after, news.trigger, _cause(fact), news.note)
        moves.append(Move(fact, order, entry, first))
    await settling.write(tx, list(orders.values()), [move.entry for move in moves], ACTOR, now)
    return moves


def _cause(fact: PaymentFact) -> str:
    """Name the event; what payments answered when it was asked has none, and is known by the payment."""
    return f"event:{fact.event_id}" if fact.event_id else f"payment:{fact.payment_id}"


def _key(fact: PaymentFact) -> Key:
    return Key(fact.order_id, fact.customer_id)


def first_paid(order: Moving) -> bool:
    """Tell whether nobody was told yet that the order is paid; the release before told it and kept no time."""
    return order.paid_at is None and order.standing.order not in LEFT | {OrderStatus.PAID}


async def tell_paid(tx: AsyncSession, paid: Sequence[tuple[Moving, Event | None]]) -> None:
    """Promise to say that orders are paid, with all that was bought."""
    lines = await store.lines_of(tx, [order.key for order, _ in paid])
    for order, fact in paid:
        outbox.record(tx, _paid(order, lines[order.id]), caused_by=fact)


def _paid(order: Moving, lines: Sequence[Line]) -> OrderPaid:
    return OrderPaid(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        total=order.total,
        lines=tuple(lines),
        paid_at=order.paid_at or datetime.now(UTC),
    )
