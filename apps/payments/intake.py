"""What other services' facts do here, in whatever order they arrive: what is heard before its placing is kept."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import telemetry
from apps.contracts.base import Money
from apps.contracts.orders import (
    OrderCancelled,
    OrderChanged,
    OrderExpired,
    OrderFact,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
)
from apps.contracts.users import UserErased
from apps.payments import decisions, erasure, steps, store, wakeup
from apps.payments.payment import Payment
from apps.payments.records import Held

_NOW: Final = timedelta()
_NOTHING: Final = Money(amount=0, currency="XXX")

Decide = Callable[[Payment, OrderFact, bool], None]
"""Takes one fact in; the flag says that the processor may have been asked already."""


def _now() -> datetime:
    return datetime.now(UTC)


async def claim(tx: AsyncSession, placed: Sequence[OrderPlaced]) -> None:
    """Record that orders want to be paid; charging is the worker's."""
    now = _now()
    by_order = {event.order_id: event for event in placed}
    claimed = [_traced(decisions.claim(event, now), event) for event in by_order.values()]
    fresh = await store.add(tx, claimed, due=True)
    if known := by_order.keys() - fresh:
        await _begin_early(tx, [by_order[order_id] for order_id in known], now)
    wakeup.wake_after(tx)


async def _begin_early(tx: AsyncSession, placed: Sequence[OrderPlaced], now: datetime) -> None:
    """Begin the payments of orders of which something else was heard first."""
    by_order = {event.order_id: event for event in placed}
    held = await store.lock_by_orders(tx, by_order)
    begun = [each for each in held if decisions.begin(each.payment, by_order[each.payment.order_id], now)]
    for each in begun:
        _traced(each.payment, by_order[each.payment.order_id])
    await store.save(tx, [(each, _NOW) for each in begun])


async def settle(tx: AsyncSession, facts: Iterable[OrderFact]) -> None:
    """Bring payments in line with what happened to their orders."""
    missing: dict[UUID, list[OrderFact]] = {}
    for fact in sorted(facts, key=lambda fact: fact.sequence):
        missing.setdefault(fact.order_id, []).append(fact)
    while missing:
        held = await store.lock_by_orders(tx, missing)
        for each in held:
            _take_in(each.payment, missing.pop(each.payment.order_id), called=each.tries > 0)
        await _save(tx, held)
        early = [_early(facts) for facts in missing.values()]
        # an order that is claimed at this very moment is not among them, and is there the next time round
        for order_id in await store.add(tx, early, due=False) if early else ():
            del missing[order_id]
    wakeup.wake_after(tx)


def _early(facts: Sequence[OrderFact]) -> Payment:
    first = facts[0]
    payment = decisions.early(first.order_id, first.customer_id, _total(first))
    _take_in(payment, facts, called=False)
    return payment


def _total(fact: OrderFact) -> Money:
    match fact:
        case OrderChanged() | OrderCancelled() | OrderExpired():
            return fact.total
        case OrderReturned():
            return Money(amount=0, currency=fact.refund.currency)
        case OrderShipped(lines=lines) if lines:
            return Money(amount=0, currency=lines[0].unit_price.currency)
        case _:
            return _NOTHING


def _traced(payment: Payment, fact: OrderFact) -> Payment:
    """Let what is done for *fact* belong to its trace."""
    payment.trace = telemetry.kept(fact.traceparent) or payment.trace
    return payment


def _take_in(payment: Payment, facts: Sequence[OrderFact], *, called: bool) -> None:
    before = payment.dump()
    _apply(payment, facts, called=called)
    if payment.dump() != before:
        _traced(payment, facts[-1])


def _apply(payment: Payment, facts: Sequence[OrderFact], *, called: bool) -> None:
    costs = [fact for fact in facts if isinstance(fact, OrderChanged)]
    for fact in facts:
        match fact:
            case OrderChanged() if fact is not costs[-1]:
                # what it cost in between, nobody is to be charged for
                pass
            case OrderChanged():
                decisions.change(payment, fact.total, fact.sequence, _now(), called=called)
            case OrderCancelled() | OrderExpired():
                decisions.cancel(payment, _now(), called=called)
            case OrderShipped():
                decisions.ship(payment, _now())
            case OrderReturned():
                decisions.give_back(payment, fact.return_id, fact.refund, _now())
            case _:
                raise TypeError(f"{type(fact).__name__} does not bear on payments")


async def _save(tx: AsyncSession, held: Sequence[Held]) -> None:
    """Write back what changed; one that a worker holds stays with it."""
    rested: list[tuple[Held, timedelta | None]] = []
    for each in held:
        if each.payment.dump() == each.plain:
            continue
        if each.lease:
            await store.save_taken(tx, each.payment)
        else:
            rested.append((each, _NOW if steps.has_work(each.payment) else None))
    await store.save(tx, rested)


async def forget(tx: AsyncSession, erased: Sequence[UserErased]) -> None:
    """Forget persons: at once what is at rest, and by the clock what is not yet or comes late."""
    await erasure.remember(tx, [event.user_id for event in erased])
    await erasure.forget_some(tx)
