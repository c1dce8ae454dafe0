"""Queries of sessions and their refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.hot import Hot
from apps.users import audit, throttling
from apps.users.domain import digest
from apps.users.origin import Origin
from apps.users.refresh_tokens import RefreshToken
from apps.users.tables import Session

_KNOWN = Hot("SELECT id, password_hash FROM users WHERE lower(email) = lower(:email)")
_TRIED = Hot(f"""{throttling.TRY}
SELECT wait_s, counted, id, password_hash FROM tried LEFT JOIN users ON lower(email) = lower(:email)
""")  # noqa: S608  # our own
# All that signing in writes, in one statement: what is not the hash is mostly round trips. An account that has a second
# factor is found, and admitted only once that has passed. It is a good moment to tidy up after one user, and to have
# the password hashed as is done today.
_BEGIN = Hot(f"""
WITH found AS MATERIALIZED (
    SELECT u.id, u.roles, u.email_verified, f.confirmed_at IS NOT NULL AS second_factor
    FROM users u LEFT JOIN second_factors f ON f.user_id = u.id
    WHERE u.id = :user_id AND u.password_hash = :verified AND u.status = 'active' FOR UPDATE OF u
), admitted AS MATERIALIZED (SELECT id FROM found WHERE :passed OR NOT second_factor
), expired AS (DELETE FROM sessions USING admitted WHERE user_id = admitted.id AND expires_at <= now()
), spent AS (DELETE FROM one_time_tokens USING admitted WHERE user_id = admitted.id AND expires_at <= now()
), renewed AS (
    UPDATE users SET password_hash = :renewed FROM admitted WHERE users.id = admitted.id AND password_hash <> :renewed
), begun AS (
    INSERT INTO sessions (id, user_id, family_hash, generation, secret_hash, address, agent, expires_at)
    SELECT :id, admitted.id, :family_hash, :generation, :secret_hash, :address, :agent, now() + :ttl FROM admitted
), replaced AS (
    DELETE FROM sessions USING admitted WHERE user_id = admitted.id
    AND sessions.id = CAST(:replaced AS uuid) AND sessions.family_hash = CAST(:replaced_family AS bytea)
    RETURNING sessions.id
), {throttling.FORGOTTEN}, {audit.SIGNED_IN}
SELECT id, roles, email_verified, second_factor FROM found
""")  # noqa: S608  # our own


@dataclass(frozen=True, slots=True)
class Known:
    """An account as signing in sees it first."""

    id: UUID
    password_hash: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A session that somebody with the right password wants to begin."""

    known: Known
    renewed_hash: str
    token: RefreshToken
    origin: Origin
    ttl: timedelta
    counted: Sequence[throttling.Key]
    """Under what the try was counted."""
    replaced: RefreshToken | None = None
    """Of the session, if any, that this one takes the place of."""


@dataclass(frozen=True, slots=True)
class Found:
    """An account whose password is still the one that was verified, and that may be used."""

    id: UUID
    roles: list[str]
    email_verified: bool
    second_factor: bool


async def known(reading: AsyncConnection, email: str) -> Known | None:
    """Return the account with this address, in whatever case it is written."""
    return next((Known(*row) for row in await _KNOWN.run(reading, email=email)), None)


async def tried(single: AsyncConnection, email: str, *keys: throttling.Key) -> Known | None:
    """Count a try under each of *keys* and return the account; raise ThrottledError where one has to wait."""
    [row] = await _TRIED.run(single, email=email, **throttling.tried_under(*keys))
    await throttling.must_be_admitted(single, row, *keys)
    return Known(row.id, row.password_hash) if row.id else None


async def begin(tx: AsyncSession | AsyncConnection, wish: Wish, *, passed: bool = False) -> Found | None:
    """Write the session, unless a second factor has still to be *passed*; None where the account is not as it was."""
    rows = await _BEGIN.run(
        tx,
        user_id=wish.known.id,
        verified=wish.known.password_hash,
        renewed=wish.renewed_hash,
        passed=passed,
        id=wish.token.session_id,
        family_hash=digest(wish.token.family),
        generation=wish.token.generation,
        secret_hash=digest(wish.token.secret),
        address=wish.origin.address,
        agent=wish.origin.agent,
        ttl=wish.ttl,
        replaced=wish.replaced.session_id if wish.replaced else None,
        replaced_family=digest(wish.replaced.family) if wish.replaced else None,
        event_id=uuid7(),
        **throttling.right_under(*wish.counted),
    )
    return next((Found(*row) for row in rows), None)


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
