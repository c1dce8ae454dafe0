"""Which fact becomes which message, to whom."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.contracts.base import Event
from apps.contracts.orders import OrderFact
from apps.contracts.payments import PaymentFact
from apps.contracts.users import EmailVerificationRequested, SecurityAlert
from apps.notifications.domain import Category


@dataclass(frozen=True, slots=True)
class Letter:
    """A message before it has an id; `data` is JSON for its template. Without an address the contact's is used."""

    dedup_key: UUID
    category: Category
    template: str
    data: str
    user_id: UUID | None = None
    email: str | None = None
    locale: str | None = None
    not_before: datetime | None = None


def key_of(*parts: str) -> UUID:
    """Return the de-duplication key that *parts* amount to."""
    return UUID(bytes=hashlib.sha256("\x1f".join(parts).encode()).digest()[:16])


def _key(event: Event, template: str, data: str) -> UUID:
    # By content: the same fact under another event id is still the same mail.
    return key_of(event.topic, template, data)


def about_order(event: OrderFact, template: str) -> Letter:
    """Write to the customer of an order."""
    data = event.model_dump_json()
    return Letter(_key(event, template, data), Category.ORDERS, template, data, user_id=event.customer_id)


def about_payment(event: PaymentFact, template: str) -> Letter:
    """Write to the customer whose payment it is."""
    data = event.model_dump_json()
    return Letter(_key(event, template, data), Category.ORDERS, template, data, user_id=event.customer_id)


def verification(event: EmailVerificationRequested) -> Letter:
    """Write to the address that is to be proven, which need not be the one we know."""
    data = event.model_dump_json()
    key = _key(event, "verify-email", data)
    return Letter(key, Category.SECURITY, "verify-email", data, event.user_id, event.email, event.locale)


def alert(event: SecurityAlert) -> Letter:
    """Write to the owner of an account."""
    data = event.model_dump_json()
    return Letter(_key(event, "account-notice", data), Category.SECURITY, "account-notice", data, event.user_id)
