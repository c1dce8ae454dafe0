"""Which fact becomes which message, to whom."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.contracts.base import Event
from apps.contracts.orders import OrderFact
from apps.contracts.payments import PaymentFact
from apps.contracts.users import EmailVerificationRequested, PasswordResetRequested, SecurityAlert
from apps.notifications.domain import Category
from apps.notifications.sources import Channel


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
    phone: str | None = None
    channels: tuple[Channel, ...] | None = None
    """The ways it goes; None leaves that to the recipient's preferences."""
    trace: str | None = None
    """Where the trace of what it comes from goes on, if that is sampled."""


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


def code(event: EmailVerificationRequested | PasswordResetRequested, template: str) -> Letter:
    """Send a code to the address that it is about, which need not be the one we know, and nowhere else."""
    data = event.model_dump_json()
    only_there = (Channel.EMAIL,)
    return Letter(
        dedup_key=_key(event, template, data),
        category=Category.SECURITY,
        template=template,
        data=data,
        user_id=event.user_id,
        email=event.email,
        locale=event.locale,
        channels=only_there,
    )


def alert(event: SecurityAlert) -> Letter:
    """Write to the owner of an account, at the address named where that is no longer the one in use."""
    data = event.model_dump_json()
    key = _key(event, "account-notice", data)
    channels = (Channel.EMAIL,) if event.email else None
    return Letter(key, Category.SECURITY, "account-notice", data, event.user_id, email=event.email, channels=channels)
