"""A payment as it is kept: one sealed record with its attempts and refunds, and what may be decided about it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

import orjson

from apps.contracts.base import Money
from apps.payments.domain import RefundState, State, Trigger, advance


class AttemptStatus(StrEnum):
    """What became of one attempt; `unpriced` waits for orders to say how much."""

    UNPRICED = "unpriced"
    PLANNED = "planned"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    CONFLICTED = "conflicted"
    VOIDED = "voided"
    """Given up here; should the processor have made it all the same, what it took goes back."""
    RELEASED = "released"
    """Given up by the processor's own account."""


class Wish(StrEnum):
    """What the processor is to be asked to do with what it holds."""

    CAPTURE = "capture"
    VOID = "void"


# So long a request whose outcome is open is repeated under its own reference, which answers at once and charges once.
# Longer would not help: processors replay an error that they stored under a reference for a day.
REPEAT_FOR: Final = timedelta(minutes=1)
_A = AttemptStatus
OPEN = frozenset({_A.UNPRICED, _A.PLANNED, _A.UNKNOWN})
SETTLED = frozenset({_A.CAPTURED, _A.DECLINED, _A.CONFLICTED, _A.RELEASED})


@dataclass(slots=True)
class Attempt:
    """One try to charge; its reference is stored before the processor hears of it."""

    reference: str
    planned_at: datetime
    method: str
    status: AttemptStatus = AttemptStatus.PLANNED
    decline_code: str | None = None
    provider_id: str | None = None
    brand: str | None = None
    last4: str | None = None
    open_since: datetime | None = None
    """When it first turned out that nobody knows whether it was charged; after `REPEAT_FOR` it is only asked for."""
    amount: int | None = None
    """What it is to take; None in records of an order that was charged whole."""
    captured: int = 0
    provider: str = "stripe"
    manual: bool = False
    """Only hold the money: it is captured later."""
    wish: Wish | None = None
    wanted: int | None = None
    """How much is to be captured of what is held."""
    action_url: str | None = None
    """Where the customer confirms to the bank."""
    booked: int = 0
    """How much of what it took stands in the ledger."""


@dataclass(slots=True)
class Refund:
    """Money on its way back; its reference is stored before the processor hears of it."""

    id: UUID
    reference: str
    planned_at: datetime
    amount: int
    reason: str | None = None
    state: RefundState = RefundState.PENDING
    provider_id: str | None = None
    attempt: str | None = None
    """Reference of the attempt whose money it is; None in records with one attempt that took any."""
    for_change: bool = False
    """It follows a change of what the order costs, and so counts against what was paid for it."""
    booked: bool = False
    """It stands in the ledger as money that went back."""


@dataclass(slots=True)
class Payment:
    """What one order costs and what became of it; amounts in the currency's minor unit."""

    id: UUID
    order_id: UUID
    customer_id: UUID
    amount: int
    currency: str
    order_number: str | None = None
    """What people call the order."""
    state: State = State.PROCESSING
    cancelled: bool = False
    """The order was cancelled: nothing more is charged, and what was captured goes back."""
    sequence: int = 0
    captured: int = 0
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    refunds: list[Refund] = field(default_factory=list[Refund])
    order_sequence: int = 0
    """Of the order's newest fact that said what it costs."""
    shipped: bool = False
    returns: dict[str, int] = field(default_factory=dict[str, int])
    """By return, how much of what it asks for is not yet promised; nought stays, so that it is heard once."""
    waived: int = 0
    """What somebody chose not to take of what is owed."""
    journal: int = 0
    """How many transactions of the ledger are this payment's."""
    trace: str | None = None
    """Where the trace of what was asked of it last goes on, if that is sampled."""

    @property
    def refunded(self) -> int:
        """Return how much went back."""
        return sum(refund.amount for refund in self.refunds if refund.state is RefundState.SUCCEEDED)

    @property
    def refundable(self) -> int:
        """Return how much has neither gone back nor been promised; what is in dispute counts as gone."""
        failed = RefundState.FAILED
        return self.captured - sum(refund.amount for refund in self.refunds if refund.state is not failed)

    @property
    def held(self) -> int:
        """Return how much is authorised and not taken."""
        return sum(each.amount or 0 for each in self.attempts if each.status is AttemptStatus.AUTHORISED)

    @property
    def owing(self) -> int:
        """Return how much more the order costs than was taken for it, held aside; below nought, too much was."""
        changed = sum(each.amount for each in self.refunds if each.for_change and each.state is not RefundState.FAILED)
        return self.amount - (self.captured - changed) - self.waived

    @property
    def attempt(self) -> Attempt:
        """Return the newest attempt."""
        return self.attempts[-1]

    def open_attempt(self) -> Attempt | None:
        """Return the attempt that is under way, if one is."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].status in OPEN else None

    def charged_by(self, refund: Refund) -> Attempt:
        """Return the attempt whose money *refund* gives back."""
        return next(
            each
            for each in self.attempts
            if (each.reference == refund.attempt if refund.attempt else each.status is AttemptStatus.CAPTURED)
        )

    def money(self, amount: int) -> Money:
        """Return *amount* in the payment's currency."""
        return Money(amount=amount, currency=self.currency)

    def move(self, trigger: Trigger) -> None:
        """Go where *trigger* leads, or raise IllegalTransitionError."""
        self.state = advance(self.state, trigger)

    def next_sequence(self) -> int:
        """Count one more fact."""
        self.sequence += 1
        return self.sequence

    def dump(self) -> bytes:
        """Return the record's plain form; without a trace, a release that knows of none reads it as well."""
        plain = orjson.dumps(self)
        return plain if self.trace else plain.replace(b',"trace":null', b"")

    @classmethod
    def load(cls, stored: bytes) -> Self:
        """Read a plain form back."""
        fields: dict[str, Any] = orjson.loads(stored)
        for name in ("id", "order_id", "customer_id"):
            fields[name] = UUID(fields[name])
        fields["state"] = State(fields["state"])
        fields["attempts"] = [_attempt(each, fields) for each in fields["attempts"]]
        fields["refunds"] = [_refund(each) for each in fields["refunds"]]
        return cls(**fields)


def _attempt(fields: dict[str, Any], payment: dict[str, Any]) -> Attempt:
    fields["planned_at"] = datetime.fromisoformat(fields["planned_at"])
    fields["status"] = AttemptStatus(fields["status"])
    if since := fields.get("open_since"):
        fields["open_since"] = datetime.fromisoformat(since)
    if wish := fields.get("wish"):
        fields["wish"] = Wish(wish)
    if "captured" not in fields and fields["status"] is AttemptStatus.CAPTURED:
        # a record of before there could be several: the one that took money took all of it
        fields["captured"] = payment["captured"]
    return Attempt(**fields)


def _refund(fields: dict[str, Any]) -> Refund:
    fields["id"] = UUID(fields["id"])
    fields["planned_at"] = datetime.fromisoformat(fields["planned_at"])
    fields["state"] = RefundState(fields["state"])
    return Refund(**fields)
