from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.chassis.auth import Principal, Role
from apps.chassis.telemetry import log
from apps.contracts.base import Event, Money
from apps.contracts.orders import OrderCancelled, OrderPlaced
from apps.payments import decisions, steps, store, wakeup
from apps.payments.domain import IllegalTransitionError, PaymentNotFoundError, State
from apps.payments.payment import Payment
from apps.payments.provider import Busy, Captured, Declined, Provider, Refused, Returned
from apps.payments.records import Held, Kept
from apps.payments.steps import Answer, GiveBack, Price, Step, Take

_NOW: Final = timedelta()


@dataclass(slots=True)
class Work:
    """A payment that a worker took, what it needs, and what came of that."""

    taken: Held
    steps: Sequence[Step]
    done: list[tuple[Step, Answer]] = field(default_factory=list[tuple[Step, Answer]])

    @property
    def payment_id(self) -> UUID:
        """Return whose it is."""
        return self.taken.payment.id


def _now() -> datetime:
    return datetime.now(UTC)


async def claim(tx: AsyncSession, placed: Sequence[OrderPlaced]) -> None:
    """Record that orders want to be paid; charging is the worker's."""
    now = _now()
    if await store.add(tx, [decisions.claim(event, now) for event in placed], due=True):
        wakeup.wake_after(tx)


async def cancel(tx: AsyncSession, cancelled: Sequence[OrderCancelled]) -> None:
    """Record that orders are cancelled: void, give back, or remember for an order not heard of yet."""
    missing = {event.order_id: event for event in cancelled}
    while missing:
        held = await store.lock_by_orders(tx, missing)
        await _cancel_held(tx, held)
        for each in held:
            del missing[each.payment.order_id]
        tombstones = [decisions.tombstone(event.order_id, event.customer_id, event.total) for event in missing.values()]
        # an order that is claimed at this very moment is not among them, and is there the next time round
        for order_id in await store.add(tx, tombstones, due=False) if tombstones else ():
            del missing[order_id]
    wakeup.wake_after(tx)


async def _cancel_held(tx: AsyncSession, held: Iterable[Held]) -> None:
    rested: list[tuple[Held, timedelta | None]] = []
    for each in held:
        if each.payment.cancelled:
            continue
        decisions.cancel(each.payment, _now(), called=each.tries > 0)
        if each.lease:
            await store.save_taken(tx, each.payment)
        else:
            rested.append((each, _NOW if steps.is_pending(each.payment) else None))
    await store.save(tx, rested)


async def take(tx: AsyncSession, holder: UUID, limit: int, lease: timedelta) -> list[Work]:
    """Take what is due; the reference that each call will carry is in the record already."""
    now = _now()
    taken = await store.take(tx, holder, limit, lease)
    return [Work(held, steps.next_steps(held.payment, now, again=held.tries > 1)) for held in taken]


async def settle(tx: AsyncSession, finished: Sequence[Work]) -> None:
    """Record what came of the calls, all in one go; what the processor said is kept word for word.

    A payment that nobody touched while it was called for is not read again.
    """
    first: dict[UUID, Work] = {}
    for work in finished:
        first.setdefault(work.payment_id, work)
    drafts = [_draft(work, work.taken.anew()) for work in first.values()]
    answers = [answer for work in first.values() for answer in _answers(work)]
    saved = await store.save_untouched(tx, [draft.kept for draft in drafts], answers)
    for draft in drafts:
        if draft.kept[0].payment.id in saved:
            _tell(tx, draft)
    others = [work for work in finished if work.payment_id not in saved or first[work.payment_id] is not work]
    if others:
        await _settle_touched(tx, others)


async def _settle_touched(tx: AsyncSession, finished: Sequence[Work]) -> None:
    held = await store.lock_all(tx, [work.payment_id for work in finished])
    kept: dict[UUID, Kept] = {}
    readable = [work for work in finished if work.payment_id in held]
    for work in readable:
        one = held[work.payment_id]
        draft = _draft(work, one)
        _tell(tx, draft)
        # a worker that comes late may tell news, yet must not free what another holds by now
        if draft.changed or one.lease == work.taken.lease:
            kept[work.payment_id] = draft.kept
    await store.save(tx, list(kept.values()))
    await store.add_answers(tx, [answer for work in readable for answer in _answers(work)])


@dataclass(frozen=True, slots=True)
class _Draft:
    kept: Kept
    facts: Sequence[Event]
    changed: bool


def _draft(work: Work, held: Held) -> _Draft:
    before = held.payment.dump()
    facts = [fact for step, outcome in work.done for fact in _apply(held.payment, step, outcome)]
    changed = held.payment.dump() != before
    return _Draft((held, _rest(held, work, changed=changed)), facts, changed)


def _tell(tx: AsyncSession, draft: _Draft) -> None:
    for fact in draft.facts:
        outbox.record(tx, fact)


def _answers(work: Work) -> list[tuple[UUID, bytes]]:
    answered = (Captured, Declined, Returned, Refused)
    return [(work.payment_id, outcome.raw) for _, outcome in work.done if isinstance(outcome, answered)]


def _apply(payment: Payment, step: Step, outcome: Answer) -> Sequence[Event]:
    now = _now()
    state = payment.state
    facts: Sequence[Event] = ()
    if isinstance(outcome, Money):
        decisions.priced(payment, outcome)
    elif isinstance(step, Take):
        facts = decisions.charged(payment, step.charge.reference, outcome, now)  # type: ignore[arg-type]
    elif isinstance(step, GiveBack):
        facts = decisions.returned(payment, step.refund.refund_id, outcome, now)  # type: ignore[arg-type]
    if payment.state is State.CONFLICTED is not state:
        log.error("payment_conflicted", payment_id=str(payment.id), remedy="compare with the processor's record")
    return facts


def _rest(held: Held, work: Work, *, changed: bool) -> timedelta | None:
    """Return when to look at the payment again, and count anew once a step is behind it."""
    if not steps.is_pending(held.payment):
        again = steps.look_again([outcome for _, outcome in work.done], held.tries)
        held.tries = held.tries if again else 0
        return again
    step, last = work.done[-1] if work.done else (None, None)
    if isinstance(step, Take) and step.charge.reference != held.payment.attempt.reference:
        held.tries = 0
        return _NOW
    pause = steps.pause(None if isinstance(last, Money) else last, held.tries)
    # a busy processor says so for the last hop alone: the sidecar repeats a call whose first answer was lost
    if (isinstance(last, Busy) and isinstance(step, Price)) or (changed and not pause):
        held.tries = 0
    return pause


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


async def refund(tx: AsyncSession, payment_id: UUID, amount: Money | int | None, reason: str | None) -> Payment:
    """Promise a refund; the worker makes it."""
    held = await store.lock(tx, payment_id)
    wanted = held.payment.money(amount) if isinstance(amount, int) else amount
    decisions.ask_refund(held.payment, wanted, reason, _now())
    await _due(tx, held)
    return held.payment


async def hear(tx: AsyncSession, provider: Provider, body: bytes, headers: Mapping[str, str]) -> None:
    """Keep a webhook and have the processor asked about its payment: what it says in passing is not believed."""
    notice = provider.notice(body, headers)
    if await store.add_notice(tx, notice.event_id, body):
        await store.wake(tx, notice.payment_id, notice.provider_id)
        wakeup.wake_after(tx)


async def _due(tx: AsyncSession, held: Held) -> None:
    if held.lease:
        await store.save_taken(tx, held.payment)
    else:
        held.tries = 0
        await store.save(tx, [(held, _NOW)])
    wakeup.wake_after(tx)


def _visible(payment: Payment, caller: Principal) -> Payment:
    if payment.customer_id != caller.id and not caller.has(Role.SUPPORT):
        raise PaymentNotFoundError("There is no such payment.")
    return payment
