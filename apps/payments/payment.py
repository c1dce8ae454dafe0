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
    CAPTURED = "captured"
    DECLINED = "declined"
    CONFLICTED = "conflicted"
    VOIDED = "voided"


# So long a request whose outcome is open is repeated under its own reference, which answers at once and charges once.
# Longer would not help: processors replay an error that they stored under a reference for a day.
REPEAT_FOR: Final = timedelta(minutes=1)
SETTLED = frozenset({AttemptStatus.CAPTURED, AttemptStatus.DECLINED, AttemptStatus.CONFLICTED})


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
    def attempt(self) -> Attempt:
        """Return the newest attempt."""
        return self.attempts[-1]

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
        """Return the record's plain form."""
        return orjson.dumps(self)

    @classmethod
    def load(cls, stored: bytes) -> Self:
        """Read a plain form back."""
        fields: dict[str, Any] = orjson.loads(stored)
        for name in ("id", "order_id", "customer_id"):
            fields[name] = UUID(fields[name])
        fields["state"] = State(fields["state"])
        fields["attempts"] = [_attempt(each) for each in fields["attempts"]]
        fields["refunds"] = [_refund(each) for each in fields["refunds"]]
        return cls(**fields)


def _attempt(fields: dict[str, Any]) -> Attempt:
    fields["planned_at"] = datetime.fromisoformat(fields["planned_at"])
    fields["status"] = AttemptStatus(fields["status"])
    if since := fields.get("open_since"):
        fields["open_since"] = datetime.fromisoformat(since)
    return Attempt(**fields)


def _refund(fields: dict[str, Any]) -> Refund:
    fields["id"] = UUID(fields["id"])
    fields["planned_at"] = datetime.fromisoformat(fields["planned_at"])
    fields["state"] = RefundState(fields["state"])
    return Refund(**fields)
