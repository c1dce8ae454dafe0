"""What payments wants of a card processor, in its own words; `stripe_provider` and `checkout_provider` speak theirs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol
from uuid import UUID

from apps.payments.domain import RefundState


@dataclass(frozen=True, slots=True)
class Charge:
    """An attempt as it is put to the processor; `reference` is ours, and its idempotency key."""

    payment_id: UUID
    order_id: UUID
    reference: str
    amount: int
    currency: str
    method: str
    provider_id: str | None = None
    """The processor's own name for it, once known."""
    provider: str = "stripe"
    manual: bool = False
    """Only hold the money."""


@dataclass(frozen=True, slots=True)
class Return:
    """A refund as it is put to the processor."""

    payment_id: UUID
    refund_id: UUID
    reference: str
    amount: int
    currency: str
    charge_id: str
    provider_id: str | None = None
    provider: str = "stripe"


@dataclass(frozen=True, slots=True)
class Card:
    """As much of a card as may be shown."""

    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class Captured:
    """The money was taken: this much, by the processor's own account."""

    provider_id: str
    amount: int
    currency: str
    card: Card | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class Authorised:
    """The money is held: this much, by the processor's own account."""

    provider_id: str
    amount: int
    currency: str
    card: Card | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The customer has to confirm at *url* first."""

    provider_id: str
    url: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The processor has it under this id, and says later what came of it."""

    provider_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Released:
    """Nothing is held and nothing was taken: the charge was called off, or ran out."""

    provider_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Declined:
    """The answer is no; `code` is one of ours."""

    code: str
    provider_id: str | None
    card: Card | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of a refund, by the processor's own account."""

    provider_id: str
    amount: int
    currency: str
    state: RefundState
    raw: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The processor will not give the money back."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer that says what happened: it may have happened."""

    why: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The last hop did nothing, an earlier one may have; not again before `after`, where the processor named a time."""

    why: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The processor knows nothing under our reference."""


ChargeOutcome = Captured | Authorised | ActionRequired | Accepted | Released | Declined | Lost | Busy | Missing
RefundOutcome = Returned | Refused | Lost | Busy | Missing


@dataclass(frozen=True, slots=True)
class Listed:
    """A charge or a refund as the processor's list shows it, in our words; `amount` is what moved."""

    reference: str
    payment_id: UUID | None
    provider_id: str
    amount: int
    currency: str
    status: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook whose signature holds: it says where to look, never what to believe."""

    event_id: str
    kind: str
    payment_id: UUID | None
    provider_id: str | None


class NoticeNotValidError(Exception):
    """The webhook's signature does not hold, or its content cannot be read."""


class UnknownProviderError(Exception):
    """No processor of that name is spoken with here."""


class Provider(Protocol):
    """A card processor. Its calls never raise for what a processor may do."""

    async def charge(self, charge: Charge) -> ChargeOutcome:
        """Take the money; the same reference never takes it twice."""
        ...

    async def find(self, charge: Charge) -> ChargeOutcome:
        """Ask what became of a charge."""
        ...

    async def capture(self, charge: Charge, amount: int) -> ChargeOutcome:
        """Take *amount* of what is held and let go of the rest; repeated, it says what was taken."""
        ...

    async def void(self, charge: Charge) -> ChargeOutcome:
        """Let go of what is held, or of what waits for the customer; repeated, it says what became of it."""
        ...

    async def refund(self, refund: Return) -> RefundOutcome:
        """Give money back; the same reference never gives it twice."""
        ...

    async def find_refund(self, refund: Return) -> RefundOutcome:
        """Ask what became of a refund."""
        ...

    def listed(self, day: date) -> AsyncIterator[Listed]:
        """Return every charge and refund made on a day of UTC; raise for trouble on the way."""
        ...

    async def shown(self, payment_id: UUID, reference: str, provider_id: str, charge_id: str) -> Listed | None:
        """Return a charge, or a refund of the charge *charge_id*, as a list would show it; None where there is none."""
        ...

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Verify a webhook by its raw body, or raise NoticeNotValidError."""
        ...
