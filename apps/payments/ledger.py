"""The books: each movement of money is one transaction of entries that come to nought, and none is ever altered.

A transaction is one row, sealed as a whole, so that no half of it can be written, lost or seen. A payment's rows are
numbered: one that is gone leaves a gap, and one that is booked twice is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

import orjson

from apps.payments.domain import RefundState
from apps.payments.payment import Attempt, Payment, Refund


class Kind(StrEnum):
    """Why money moved."""

    CAPTURE = "capture"
    REFUND = "refund"
    REFUND_REVERSED = "refund_reversed"


CUSTOMERS: Final = "customers"
"""What customers have paid and not got back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a transaction: above nought a debit, below a credit."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """Entries of one currency that come to nought."""

    payment_id: UUID
    number: int
    kind: Kind
    currency: str
    cause: str
    """Reference of the attempt or the refund."""
    entries: tuple[Entry, ...]

    def dump(self) -> bytes:
        """Return its plain form."""
        entries = [(each.account, each.amount) for each in self.entries]
        return orjson.dumps((self.kind, self.currency, self.cause, entries))

    @classmethod
    def load(cls, payment_id: UUID, number: int, stored: bytes) -> Self:
        """Read a plain form back."""
        kind, currency, cause, entries = orjson.loads(stored)
        sides = tuple(Entry(account, amount) for account, amount in entries)
        return cls(payment_id, number, Kind(kind), currency, cause, sides)

    @property
    def taken(self) -> int:
        """Return how much more is captured by it."""
        return -sum(each.amount for each in self.entries if each.account == CUSTOMERS)


def book(payment: Payment) -> list[Transaction]:
    """Return the transactions for all that has moved and is not booked, and note that it is."""
    made: list[Transaction] = []
    for attempt in payment.attempts:
        if (moved := attempt.captured - attempt.booked) != 0:
            attempt.booked = attempt.captured
            made.append(_transaction(payment, Kind.CAPTURE, attempt.reference, attempt, moved))
    for refund in payment.refunds:
        if (gone := refund.state is RefundState.SUCCEEDED) != refund.booked:
            refund.booked = gone
            made.append(_refund(payment, refund, gone=gone))
    return made


def _refund(payment: Payment, refund: Refund, *, gone: bool) -> Transaction:
    attempt = payment.charged_by(refund)
    if gone:
        return _transaction(payment, Kind.REFUND, refund.reference, attempt, -refund.amount)
    return _transaction(payment, Kind.REFUND_REVERSED, refund.reference, attempt, refund.amount)


def _transaction(payment: Payment, kind: Kind, cause: str, attempt: Attempt, amount: int) -> Transaction:
    payment.journal += 1
    sides = (Entry(f"processor:{attempt.provider}", amount), Entry(CUSTOMERS, -amount))
    return Transaction(payment.id, payment.journal, kind, payment.currency, cause, sides)


def faults(transactions: Sequence[Transaction], payment: Payment | None) -> Iterator[str]:
    """Say what does not fit in one payment's books, the first first; without its record, only what they show."""
    for place, each in enumerate(transactions, 1):
        if each.number != place:
            yield f"entry {each.payment_id}/{place} is missing"
            return
        if sum(side.amount for side in each.entries) or len(each.entries) < 2:  # noqa: PLR2004  # both sides
            yield f"entry {each.payment_id}/{each.number} does not balance"
        if payment and each.currency != payment.currency:
            yield f"entry {each.payment_id}/{each.number} is in {each.currency}, its payment in {payment.currency}"
    if payment is None:
        return
    if len(transactions) != payment.journal:
        yield f"entry {payment.id}/{min(len(transactions), payment.journal) + 1} is missing or was never booked"
    net = sum(each.taken for each in transactions)
    if net != payment.captured - payment.refunded:
        yield f"entries of {payment.id} come to {net}, its record to {payment.captured - payment.refunded}"
