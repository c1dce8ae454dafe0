from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from apps.users.domain import Purpose, RefreshToken, UserNotFoundError, digest
from apps.users.tables import Base, OneTimeToken, Session, SigningKey, User

_SIGNING_KEYS_LOCK = text("SELECT pg_advisory_xact_lock(1365450281)")


async def add(tx: AsyncSession, row: Base) -> None:
    """Insert one row."""
    tx.add(row)
    await tx.flush()


async def add_user(tx: AsyncSession, fields: dict[str, Any]) -> bool:
    """Insert an account; False where its address has one already, also when that was a moment ago."""
    added = await tx.scalar(insert(User).values(fields).on_conflict_do_nothing().returning(User.id))
    return added is not None


async def get_user(tx: AsyncSession, user_id: UUID) -> User:
    """Return an account, or raise UserNotFoundError."""
    if user := await tx.get(User, user_id):
        return user
    raise UserNotFoundError


async def lock_user(tx: AsyncSession, user_id: UUID) -> User:
    """Return an account that nobody else changes until *tx* ends, or raise UserNotFoundError."""
    if user := await tx.get(User, user_id, with_for_update=True):
        return user
    raise UserNotFoundError


async def find_user(tx: AsyncSession, email: str) -> User | None:
    """Return the account with this address, in whatever case it is written."""
    return await tx.scalar(select(User).where(func.lower(User.email) == func.lower(email)))


async def lock_user_by_email(tx: AsyncSession, email: str) -> User | None:
    """Do as `find_user` does, and keep others from changing it until *tx* ends."""
    return await tx.scalar(select(User).where(func.lower(User.email) == func.lower(email)).with_for_update())


async def use_token(tx: AsyncSession, token: str, purpose: Purpose) -> OneTimeToken | None:
    """Consume a one-time token and return it; None where it is unknown, used or expired."""
    mine = (OneTimeToken.token_hash == digest(token.encode()), OneTimeToken.purpose == purpose)
    return await tx.scalar(
        delete(OneTimeToken).where(*mine, OneTimeToken.expires_at > func.now()).returning(OneTimeToken)
    )


async def advance_session(tx: AsyncSession, old: RefreshToken, new: RefreshToken, expires_at: datetime) -> UUID | None:
    """Replace the session's token in one statement, so that one of many at once wins; return whose session it is."""
    return await tx.scalar(
        update(Session)
        .where(*_family(old), Session.generation == old.generation, Session.secret_hash == digest(old.secret))
        .values(
            generation=new.generation,
            secret_hash=digest(new.secret),
            refreshed_at=func.now(),
            expires_at=expires_at,
        )
        .returning(Session.user_id)
    )


async def end_family(tx: AsyncSession, reused: RefreshToken) -> UUID | None:
    """End the session that *reused* once belonged to; None where it is no former token of a live session."""
    return await tx.scalar(
        delete(Session).where(*_family(reused), Session.generation > reused.generation).returning(Session.user_id)
    )


async def end_session(tx: AsyncSession, session_id: UUID, user_id: UUID) -> None:
    """End a session of the user; one that has ended is no error."""
    await tx.execute(delete(Session).where(Session.id == session_id, Session.user_id == user_id))


async def forget_expired(tx: AsyncSession, user_id: UUID) -> None:
    """Delete what has expired of one user: signing in is a good moment to tidy up."""
    for table in (Session, OneTimeToken):
        await tx.execute(delete(table).where(table.user_id == user_id, table.expires_at <= func.now()))


async def lock_signing_keys(tx: AsyncSession) -> None:
    """Wait for any other replica that looks for keys, or makes one."""
    await tx.execute(_SIGNING_KEYS_LOCK)


async def list_signing_keys(tx: AsyncSession) -> Sequence[SigningKey]:
    """Return the signing keys, newest first."""
    return list(await tx.scalars(select(SigningKey).order_by(SigningKey.created_at.desc())))


def _family(token: RefreshToken) -> tuple[Any, ...]:
    return (
        Session.id == token.session_id,
        Session.family_hash == digest(token.family),
        Session.expires_at > func.now(),
    )
