from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import outbox
from apps.chassis.database import Database
from apps.contracts.users import EmailVerificationRequested, SecurityAlert, UserChanged, UserRegistered
from apps.users import domain, store
from apps.users.domain import OneTimeTokenRefusedError, OperatorTokensOffError, Purpose, digest
from apps.users.keys import Signer
from apps.users.passwords import Passwords
from apps.users.schemas import OperatorTokenForm, ProfileChange, Registration
from apps.users.settings import UsersSettings
from apps.users.tables import OneTimeToken, User


@dataclass(frozen=True, slots=True)
class Means:
    """What the use cases work with besides a transaction."""

    settings: UsersSettings
    database: Database
    passwords: Passwords
    signer: Signer


async def register(means: Means, form: Registration) -> None:
    """Open an account and ask for proof of its address; the owner of a known address is told, and nobody else."""
    # hashed also where the address is known, so that both take as long; and outside the transaction
    password_hash = await means.passwords.hash(form.password.get_secret_value())
    async with means.database.transaction() as tx:
        if not await _open_account(tx, form, password_hash, means.settings.verification_ttl):
            await _warn_owner(tx, form.email)


async def _open_account(tx: AsyncSession, form: Registration, password_hash: str, ttl: timedelta) -> bool:
    contact = form.model_dump(exclude={"password"})
    user_id = uuid7()
    account = {"id": user_id, "password_hash": password_hash, "roles": ["customer"], "sequence": 2, **contact}
    if not await store.add_user(tx, account):
        return False
    token, expires_at = domain.new_one_time_token(), _now() + ttl
    await store.add(
        tx,
        OneTimeToken(
            token_hash=digest(token.encode()),
            user_id=user_id,
            purpose=Purpose.VERIFY_EMAIL,
            email=form.email,
            expires_at=expires_at,
        ),
    )
    outbox.record(tx, UserRegistered(user_id=user_id, sequence=1, **contact))
    outbox.record(
        tx,
        EmailVerificationRequested(
            user_id=user_id,
            sequence=2,
            email=form.email,
            locale=form.locale,
            token=SecretStr(token),
            expires_at=expires_at,
        ),
    )
    return True


async def _warn_owner(tx: AsyncSession, email: str) -> None:
    if owner := await store.lock_user_by_email(tx, email):
        alert(tx, owner, "registration_attempted")


def alert(tx: AsyncSession, user: User, kind: Any) -> None:
    """Tell the owner of a locked account what somebody did with it."""
    user.sequence += 1
    outbox.record(tx, SecurityAlert(user_id=user.id, sequence=user.sequence, kind=kind, happened_at=_now()))


async def verify_email(tx: AsyncSession, token: str) -> None:
    """Take the token as proof of the address that it was sent to; it is good once."""
    proof = await store.use_token(tx, token, Purpose.VERIFY_EMAIL)
    if proof is None:
        raise OneTimeTokenRefusedError
    user = await store.lock_user(tx, proof.user_id)
    if user.email != proof.email:
        raise OneTimeTokenRefusedError
    user.email_verified = True


async def profile(tx: AsyncSession, user_id: UUID) -> User:
    """Return the account."""
    return await store.get_user(tx, user_id)


async def change_profile(tx: AsyncSession, user_id: UUID, change: ProfileChange) -> User:
    """Change what is named; the others hear of it where it differs from what they know."""
    user = await store.lock_user(tx, user_id)
    wanted = change.model_dump(exclude_unset=True)
    changed = {field: value for field, value in wanted.items() if getattr(user, field) != value}
    if not changed:
        return user
    for field, value in changed.items():
        setattr(user, field, value)
    user.sequence += 1
    outbox.record(
        tx,
        UserChanged(
            user_id=user.id,
            sequence=user.sequence,
            email=user.email,
            name=user.name,
            phone=user.phone,
            locale=user.locale,
            timezone=user.timezone,
        ),
    )
    return user


def operator_token(means: Means, form: OperatorTokenForm) -> str:
    """Make a token for trying things, where this system allows it."""
    if not means.settings.operator_tokens:
        raise OperatorTokensOffError
    subject = form.user_id or uuid7()
    return means.signer.issue(subject, [form.role.value], timedelta(seconds=form.ttl_s), email_verified=True)


def _now() -> datetime:
    return datetime.now(UTC)
