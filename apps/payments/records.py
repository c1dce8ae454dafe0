"""A payment as a row: sealed, and found by blind indexes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.payments.ledger import Transaction
from apps.payments.payment import Payment
from apps.payments.sealing import Sealed, Vault


@dataclass(slots=True)
class Held:
    """A payment as read: who works on it, if anybody, and how often that was begun since it last came to rest."""

    payment: Payment
    lease: UUID | None
    tries: int
    plain: bytes
    seen: bytes
    """The wrapped key it was read with."""

    def anew(self) -> "Held":
        """Return it as it was read, whatever was made of it since."""
        return replace(self, payment=Payment.load(self.plain))


Kept = tuple[Held, timedelta | None]
"""A payment to write back, and how long to leave it alone; None leaves it at rest."""
Answers = Sequence[tuple[UUID, bytes]]
"""What the processor said word for word, per payment."""


BOOK: Final = (
    "INSERT INTO ledger (payment_id, number, key_id, wrapped_key, sealed) "
    "SELECT payment_id, number, entry.key_id, entry.wrapped_key, entry.sealed "
    "FROM unnest(CAST(:book_payments AS uuid[]), CAST(:book_numbers AS int[]), CAST(:book_keys AS text[]), "
    "CAST(:book_wrapped AS bytea[]), CAST(:book_sealed AS bytea[])) "
    "AS entry (payment_id, number, key_id, wrapped_key, sealed)"
)


def vault(tx: AsyncSession) -> Vault:
    """Return what seals this service's tables: the codec that the chassis was given."""
    return cast("Vault", tx.info["codec"])


def context(id_: UUID) -> str:
    """Return what a payment is sealed for."""
    return f"payments:{id_}"


def order_ix(tx: AsyncSession, order_id: UUID) -> UUID:
    """Return what an order's payment is found by."""
    return vault(tx).blind("order", order_id.bytes)


def read(tx: AsyncSession, row: Any) -> Held:
    """Open a row, or raise SealBrokenError."""
    sealed = Sealed(row.key_id, row.wrapped_key, row.sealed)
    plain = vault(tx).open_record(sealed, context(row.id))
    return Held(Payment.load(plain), row.lease, row.tries, plain, row.wrapped_key)


def _provider_ix(keeper: Vault, payment: Payment) -> UUID | None:
    named = [attempt.provider_id for attempt in payment.attempts if attempt.provider_id]
    return keeper.blind("provider", named[-1].encode()) if named else None


def values(tx: AsyncSession, kept: Sequence[Kept]) -> dict[str, Any]:
    """Return columns to write back, each as a list."""
    keeper = vault(tx)
    payments = [held.payment for held, _ in kept]
    return {
        "ids": [payment.id for payment in payments],
        "pauses": [pause for _, pause in kept],
        "tries": [held.tries for held, _ in kept],
        "providers": [_provider_ix(keeper, payment) for payment in payments],
        **columns([keeper.seal_record(payment.dump(), context(payment.id)) for payment in payments]),
    }


def sealed_answers(tx: AsyncSession, answers: Answers) -> tuple[list[UUID], list[bytes]]:
    """Return ids for the answers, and each answer sealed for its own."""
    ids = [uuid7() for _ in answers]
    return ids, [vault(tx).seal(raw, f"provider_answers:{id_}") for id_, (_, raw) in zip(ids, answers, strict=True)]


def booked(tx: AsyncSession, transactions: Sequence[Transaction]) -> dict[str, Any]:
    """Return the columns of ledger rows, each as a list."""
    keeper = vault(tx)
    sealed = [keeper.seal_record(each.dump(), ledger_context(each.payment_id, each.number)) for each in transactions]
    return {
        "book_payments": [each.payment_id for each in transactions],
        "book_numbers": [each.number for each in transactions],
        "book_keys": [each.key_id for each in sealed],
        "book_wrapped": [each.wrapped_key for each in sealed],
        "book_sealed": [each.sealed for each in sealed],
    }


def ledger_context(payment_id: UUID, number: int) -> str:
    """Return what a ledger row is sealed for."""
    return f"ledger:{payment_id}:{number}"


def columns(sealed: Sequence[Sealed]) -> dict[str, Any]:
    """Return the three columns of sealed records, each as a list."""
    return {
        "key_ids": [each.key_id for each in sealed],
        "wrapped": [each.wrapped_key for each in sealed],
        "sealed": [each.sealed for each in sealed],
    }
