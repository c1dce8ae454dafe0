"""Queries of sessions and their refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.hot import Hot
from apps.users.domain import digest
from apps.users.origin import Origin
from apps.users.refresh_tokens import RefreshToken
from apps.users.tables import Session

_KNOWN = Hot("SELECT id, password_hash FROM users WHERE lower(email) = lower(:email)")
# With whether there is a second factor: the one question of most people's sign-in that this then has answered.
_LOCK = Hot("""
SELECT u.id, u.password_hash, u.status, u.roles, u.email_verified, f.confirmed_at IS NOT NULL AS second_factor
FROM users u LEFT JOIN second_factors f ON f.user_id = u.id WHERE u.id = :id FOR UPDATE OF u
""")
# Signing in is a good moment to tidy up after one user, and to hash the password as is done today.
_BEGIN = Hot("""
WITH expired AS (DELETE FROM sessions WHERE user_id = :user_id AND expires_at <= now()),
spent AS (DELETE FROM one_time_tokens WHERE user_id = :user_id AND expires_at <= now()),
renewed AS (UPDATE users SET password_hash = :password_hash WHERE id = :user_id AND password_hash <> :password_hash)
INSERT INTO sessions (id, user_id, family_hash, generation, secret_hash, address, agent, expires_at)
VALUES (:id, :user_id, :family_hash, :generation, :secret_hash, :address, :agent, now() + :ttl)
""")


@dataclass(frozen=True, slots=True)
class Known:
    """An account as signing in sees it first."""

    id: UUID
    password_hash: str


@dataclass(frozen=True, slots=True)
class Locked(Known):
    """An account that nobody else changes until the transaction ends."""

    status: str
    roles: list[str]
    email_verified: bool
    second_factor: bool


async def known(reading: AsyncConnection, email: str) -> Known | None:
    """Return the account with this address, in whatever case it is written."""
    return next((Known(*row) for row in await _KNOWN.run(reading, email=email)), None)


async def lock(tx: AsyncSession, user_id: UUID) -> Locked | None:
    """Keep others from changing an account; None where it is erased."""
    return next((Locked(*row) for row in await _LOCK.run(tx, id=user_id)), None)


async def begin(tx: AsyncSession, user: Known, token: RefreshToken, origin: Origin, ttl: timedelta) -> None:
    """Write a session of *user*, whose password is kept as it is hashed there."""
    await _BEGIN.run(
        tx,
        user_id=user.id,
        password_hash=user.password_hash,
        id=token.session_id,
        family_hash=digest(token.family),
        generation=token.generation,
        secret_hash=digest(token.secret),
        address=origin.address,
        agent=origin.agent,
        ttl=ttl,
    )


async def advance(
    tx: AsyncSession, old: RefreshToken, new: RefreshToken, idle: timedelta, whole: timedelta
) -> UUID | None:
    """Replace the session's token in one statement, so that one of many at once wins; return whose session it is."""
    return await tx.scalar(
        update(Session)
        .where(*_family(old), Session.generation == old.generation, Session.secret_hash == digest(old.secret))
        .values(
            generation=new.generation,
            secret_hash=digest(new.secret),
            previous_hash=digest(old.secret),
            refreshed_at=func.clock_timestamp(),
            expires_at=func.least(func.now() + idle, Session.created_at + whole),
        )
        .returning(Session.user_id)
    )


async def replaced_a_moment_ago(
    tx: AsyncSession, old: RefreshToken, new: RefreshToken, grace: timedelta
) -> UUID | None:
    """Return whose session it is where *new* took the place of *old*, and of no other, within *grace*."""
    return await tx.scalar(
        select(Session.user_id).where(
            *_family(old),
            Session.generation == new.generation,
            Session.previous_hash == digest(old.secret),
            Session.secret_hash == digest(new.secret),
            Session.refreshed_at > func.clock_timestamp() - grace,
        )
    )


async def end_family(tx: AsyncSession, reused: RefreshToken) -> UUID | None:
    """End the session that *reused* once belonged to; None where it is no former token of a live session."""
    return await tx.scalar(
        delete(Session).where(*_family(reused), Session.generation > reused.generation).returning(Session.user_id)
    )


async def end(tx: AsyncSession, session_id: UUID, user_id: UUID) -> bool:
    """End a session of the user; False where it had ended."""
    mine = delete(Session).where(Session.id == session_id, Session.user_id == user_id)
    return await tx.scalar(mine.returning(Session.id)) is not None


async def end_all(tx: AsyncSession, user_id: UUID, *, but: UUID | None = None) -> int:
    """End every session of the user, but for one; return how many ended."""
    mine = delete(Session).where(Session.user_id == user_id)
    ended = await tx.scalars((mine.where(Session.id != but) if but else mine).returning(Session.id))
    return len(ended.all())


async def list_by_user(tx: AsyncSession, user_id: UUID, before: UUID, limit: int) -> Sequence[Session]:
    """Return a page of the user's sessions that are alive, newest first."""
    mine = select(Session).where(Session.user_id == user_id, Session.expires_at > func.now(), Session.id < before)
    return list(await tx.scalars(mine.order_by(Session.id.desc()).limit(limit)))


def _family(token: RefreshToken) -> tuple[Any, ...]:
    return (
        Session.id == token.session_id,
        Session.family_hash == digest(token.family),
        Session.expires_at > func.now(),
    )
