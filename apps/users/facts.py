"""What the other services hear about accounts; each fact counts up the account's sequence."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.contracts.users import (
    AlertKind,
    EmailVerificationRequested,
    PasswordResetRequested,
    SecurityAlert,
    UserChanged,
    UserErased,
    UserRegistered,
)
from apps.users import domain, store
from apps.users.domain import Purpose, digest
from apps.users.tables import OneTimeToken, User


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


def registered(tx: AsyncSession, user: User) -> None:
    """Tell that an account exists."""
    outbox.record(tx, UserRegistered(**_contact(user)))


def changed(tx: AsyncSession, user: User) -> None:
    """Tell how to reach and address a person from now on."""
    outbox.record(tx, UserChanged(**_contact(user)))


def alert(tx: AsyncSession, user: User, kind: AlertKind, *, email: str | None = None) -> None:
    """Tell the owner of a locked account what somebody did with it; at *email* where that is not the address in use."""
    outbox.record(tx, SecurityAlert(user_id=user.id, sequence=_next(user), kind=kind, email=email, happened_at=now()))


def erased(tx: AsyncSession, user: User) -> None:
    """Tell that a person is to be forgotten."""
    outbox.record(tx, UserErased(user_id=user.id, sequence=_next(user), erased_at=now()))


async def ask_to_prove(tx: AsyncSession, user: User, email: str, purpose: Purpose, ttl: timedelta) -> None:
    """Have *email* sent a token that proves it reads mail there; only a hash is kept here."""
    token, expires_at = domain.new_secret(), now() + ttl
    kept = OneTimeToken(
        token_hash=digest(token.encode()), user_id=user.id, purpose=purpose, email=email, expires_at=expires_at
    )
    await store.add(tx, kept)
    said: dict[str, Any] = {"user_id": user.id, "sequence": _next(user), "email": email, "locale": user.locale}
    said |= {"token": SecretStr(token), "expires_at": expires_at}
    if purpose is Purpose.RESET_PASSWORD:
        outbox.record(tx, PasswordResetRequested.model_validate(said))
        return
    why = "registration" if purpose is Purpose.VERIFY_EMAIL else purpose.value
    outbox.record(tx, EmailVerificationRequested.model_validate(said | {"purpose": why}))


def _next(user: User) -> int:
    user.sequence += 1
    return user.sequence


def _contact(user: User) -> dict[str, Any]:
    return {
        "user_id": user.id,
        "sequence": _next(user),
        "email": user.email,
        "name": user.name,
        "phone": user.phone,
        "locale": user.locale,
        "timezone": user.timezone,
    }
