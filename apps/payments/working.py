"""What a worker does in its transactions: it takes what is due, and records what came of its calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.chassis.telemetry import log
from apps.contracts.base import Event, Money
from apps.payments import decisions, ledger, outcomes, steps, store
from apps.payments.domain import State
from apps.payments.ledger import Transaction
from apps.payments.payment import Payment
from apps.payments.provider import (
    Accepted,
    ActionRequired,
    Authorised,
    Busy,
    Captured,
    Declined,
    Refused,
    Released,
    Returned,
)
from apps.payments.records import Held, Kept
from apps.payments.steps import Answer, Finish, GiveBack, Price, Step, Take

_NOW: Final = timedelta()
_WORD_FOR_WORD: Final = (Captured, Authorised, ActionRequired, Accepted, Released, Declined, Returned, Refused)


@dataclass(slots=True)
class Work:
    """A payment that a worker took, what it needs, and what came of that."""

    taken: Held
    steps: Sequence[Step]
    done: list[tuple[Step, Answer]] = field(default_factory=list[tuple[Step, Answer]])
    trace: str | None = None
    """Where the trace goes on from the calls."""
    _drafted: bool = False

    def draft(self) -> Held:
        """Return what was taken, to be changed: read once more only where an earlier draft was not saved."""
        held = self.taken.anew() if self._drafted else replace(self.taken)
        self._drafted = True
        return held

    @property
    def payment_id(self) -> UUID:
        """Return whose it is."""
        return self.taken.payment.id


def _now() -> datetime:
    return datetime.now(UTC)


async def take(tx: AsyncSession, holder: UUID, limit: int, lease: timedelta) -> list[Work]:
    """Take what is due; the reference that each call will carry is in the record already."""
    now = _now()
    taken = await store.take(tx, holder, limit, lease)
    return [Work(held, steps.next_steps(held.payment, now, tries=held.tries)) for held in taken]


async def settle(tx: AsyncSession, finished: Sequence[Work]) -> None:
    """Record what came of the calls, all in one go; what the processor said is kept word for word.

    A payment that nobody touched while it was called for is not read again.
    """
    first: dict[UUID, Work] = {}
    for work in finished:
        first.setdefault(work.payment_id, work)
    drafts = [_draft(work, work.draft()) for work in first.values()]
    answers = [answer for work in first.values() for answer in _answers(work)]
    booked = [each for draft in drafts for each in draft.booked]
    saved = await store.save_untouched(tx, [draft.kept for draft in drafts], answers, booked)
    for draft in drafts:
        if draft.kept[0].payment.id in saved:
            _tell(tx, draft)
    others = [work for work in finished if work.payment_id not in saved or first[work.payment_id] is not work]
    if others:
        await _settle_touched(tx, others)


async def _settle_touched(tx: AsyncSession, finished: Sequence[Work]) -> None:
    held = await store.lock_all(tx, [work.payment_id for work in finished])
    kept: dict[UUID, Kept] = {}
    booked: list[Transaction] = []
    readable = [work for work in finished if work.payment_id in held]
    for work in readable:
        one = held[work.payment_id]
        draft = _draft(work, one)
        _tell(tx, draft)
        booked += draft.booked
        # a worker that comes late may tell news, yet must not free what another holds by now
        if draft.changed or one.lease == work.taken.lease:
            kept[work.payment_id] = draft.kept
    await store.save(tx, list(kept.values()))
    await store.add_answers(tx, [answer for work in readable for answer in _answers(work)])
    await store.add_booked(tx, booked)


@dataclass(frozen=True, slots=True)
class _Draft:
    kept: Kept
    facts: Sequence[Event]
    booked: Sequence[Transaction]
    changed: bool
    trace: str | None


def _draft(work: Work, held: Held) -> _Draft:
    before = held.payment.dump()
    facts = [fact for step, outcome in work.done for fact in _apply(held.payment, step, outcome)]
    booked = ledger.book(held.payment)
    changed = held.payment.dump() != before
    return _Draft((held, _rest(held, work, changed=changed)), facts, booked, changed, work.trace)


def _tell(tx: AsyncSession, draft: _Draft) -> None:
    for fact in draft.facts:
        outbox.record(tx, fact, trace=draft.trace)


def _answers(work: Work) -> list[tuple[UUID, bytes]]:
    return [(work.payment_id, outcome.raw) for _, outcome in work.done if isinstance(outcome, _WORD_FOR_WORD)]


def _apply(payment: Payment, step: Step, outcome: Answer) -> Sequence[Event]:
    now = _now()
    state = payment.state
    facts: Sequence[Event] = ()
    if isinstance(outcome, Money):
        decisions.priced(payment, outcome)
    elif isinstance(step, Take | Finish):
        facts = outcomes.charged(payment, step.charge.reference, outcome, now)  # type: ignore[arg-type]
    elif isinstance(step, GiveBack):
        facts = outcomes.returned(payment, step.refund.refund_id, outcome, now)  # type: ignore[arg-type]
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
