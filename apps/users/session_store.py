"""Queries of sessions and their refresh tokens."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from apps.users.domain import digest
from apps.users.refresh_tokens import RefreshToken
from apps.users.tables import OneTimeToken, Session


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


async def forget_expired(tx: AsyncSession, user_id: UUID) -> None:
    """Delete what has expired of one user: signing in is a good moment to tidy up."""
    for table in (Session, OneTimeToken):
        await tx.execute(delete(table).where(table.user_id == user_id, table.expires_at <= func.now()))


def _family(token: RefreshToken) -> tuple[Any, ...]:
    return (
        Session.id == token.session_id,
        Session.family_hash == digest(token.family),
        Session.expires_at > func.now(),
    )
