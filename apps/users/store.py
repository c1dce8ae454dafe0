"""Queries of accounts and of what hangs on them; sessions have `session_store`, administrators `search`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Principal
from apps.users.domain import Purpose, SessionEndedError, Status, UserNotFoundError, digest
from apps.users.tables import Base, EmailChange, OneTimeToken, RecoveryCode, SecondFactor, Session, SigningKey, User

_SIGNING_KEYS_LOCK = text("SELECT pg_advisory_xact_lock(1365450281)")
_ADMINISTRATORS_LOCK = text("SELECT pg_advisory_xact_lock(1365450282)")


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
    if user := await find_locked(tx, user_id):
        return user
    raise UserNotFoundError


async def find_locked(tx: AsyncSession, user_id: UUID) -> User | None:
    """Do as `lock_user` does; None where the account is erased."""
    return await tx.get(User, user_id, with_for_update=True, populate_existing=True)


async def find_user(tx: AsyncSession, email: str) -> User | None:
    """Return the account with this address, in whatever case it is written."""
    return await tx.scalar(select(User).where(func.lower(User.email) == func.lower(email)))


async def lock_user_by_email(tx: AsyncSession, email: str) -> User | None:
    """Do as `find_user` does, and keep others from changing it until *tx* ends."""
    return await tx.scalar(select(User).where(func.lower(User.email) == func.lower(email)).with_for_update())


async def must_be_signed_in(tx: AsyncSession, caller: Principal) -> Session | None:
    """Return the caller's session, or raise SessionEndedError: a token outlives its session by minutes."""
    if caller.session_id is None:  # an operator's token, or a machine client's, has none
        return None
    mine = select(Session).where(Session.id == caller.session_id, Session.user_id == caller.id)
    if session := await tx.scalar(mine.where(Session.expires_at > func.now())):
        return session
    raise SessionEndedError


async def delete_user(tx: AsyncSession, user_id: UUID) -> None:
    """Delete an account with all that hangs on it; the foreign keys cascade."""
    await tx.execute(delete(User).where(User.id == user_id))


async def use_token(tx: AsyncSession, token: str, *purposes: Purpose) -> OneTimeToken | None:
    """Consume a one-time token and return it; None where it is unknown, used or expired."""
    mine = (OneTimeToken.token_hash == digest(token.encode()), OneTimeToken.purpose.in_(purposes))
    return await tx.scalar(
        delete(OneTimeToken).where(*mine, OneTimeToken.expires_at > func.now()).returning(OneTimeToken)
    )


async def knows_token(tx: AsyncSession, token: str, purpose: Purpose) -> bool:
    """Tell whether a one-time token is good, without using it up: what follows may be costly."""
    mine = (OneTimeToken.token_hash == digest(token.encode()), OneTimeToken.purpose == purpose)
    return await tx.scalar(select(OneTimeToken.user_id).where(*mine, OneTimeToken.expires_at > func.now())) is not None


async def forget_tokens(tx: AsyncSession, user_id: UUID, *purposes: Purpose) -> None:
    """Delete a user's one-time tokens, so that a link in an earlier mail leads nowhere."""
    mine = delete(OneTimeToken).where(OneTimeToken.user_id == user_id)
    await tx.execute(mine.where(OneTimeToken.purpose.in_(purposes)))


async def replace_email_change(tx: AsyncSession, fields: dict[str, Any]) -> None:
    """Remember the address that a user wants, instead of the one wanted before."""
    fresh = {"old_confirmed_at": None, "new_confirmed_at": None, **fields}
    await tx.execute(
        insert(EmailChange).values(fresh).on_conflict_do_update(index_elements=[EmailChange.user_id], set_=fresh)
    )


async def confirm_email_change(tx: AsyncSession, user_id: UUID, *, new: bool) -> EmailChange | None:
    """Note that one end has confirmed, and return the change as it stands."""
    side = EmailChange.new_confirmed_at if new else EmailChange.old_confirmed_at
    return await tx.scalar(
        update(EmailChange)
        .where(EmailChange.user_id == user_id, EmailChange.expires_at > func.now())
        .values({side: func.now()})
        .returning(EmailChange)
    )


async def end_email_change(tx: AsyncSession, user_id: UUID) -> None:
    """Forget the address that a user wanted."""
    await tx.execute(delete(EmailChange).where(EmailChange.user_id == user_id))


async def find_second_factor(tx: AsyncSession, user_id: UUID) -> SecondFactor | None:
    """Return a user's second factor, confirmed or not."""
    return await tx.get(SecondFactor, user_id, populate_existing=True)


async def put_second_factor(tx: AsyncSession, user_id: UUID, sealed_secret: bytes) -> None:
    """Keep a secret that is yet to be confirmed, instead of an earlier one."""
    fresh = {"sealed_secret": sealed_secret, "last_step": 0, "confirmed_at": None}
    statement = insert(SecondFactor).values(user_id=user_id, **fresh)
    await tx.execute(statement.on_conflict_do_update(index_elements=[SecondFactor.user_id], set_=fresh))


async def use_step(tx: AsyncSession, user_id: UUID, step: int, *, confirm: bool = False) -> bool:
    """Note that the code of *step* was used, in one statement; False where it or a later one was used before."""
    values: dict[str, Any] = {"last_step": step, **({"confirmed_at": func.now()} if confirm else {})}
    unused = (SecondFactor.user_id == user_id, SecondFactor.last_step < step)
    used = await tx.scalar(update(SecondFactor).where(*unused).values(values).returning(SecondFactor.user_id))
    return used is not None


async def replace_recovery_codes(tx: AsyncSession, user_id: UUID, hashes: Sequence[bytes]) -> None:
    """Make these the user's recovery codes, and no others."""
    await tx.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if hashes:
        await tx.execute(insert(RecoveryCode).values([{"user_id": user_id, "code_hash": each} for each in hashes]))


async def use_recovery_code(tx: AsyncSession, user_id: UUID, code_hash: bytes) -> bool:
    """Consume a recovery code; False where there is no such code."""
    mine = (RecoveryCode.user_id == user_id, RecoveryCode.code_hash == code_hash)
    return await tx.scalar(delete(RecoveryCode).where(*mine).returning(RecoveryCode.user_id)) is not None


async def delete_second_factor(tx: AsyncSession, user_id: UUID) -> bool:
    """Delete a user's second factor with its recovery codes; False where none was set up."""
    await replace_recovery_codes(tx, user_id, [])
    mine = delete(SecondFactor).where(SecondFactor.user_id == user_id)
    return await tx.scalar(mine.returning(SecondFactor.confirmed_at)) is not None


async def lock_administrators(tx: AsyncSession) -> None:
    """Wait for any other change of who is an administrator: two that demote each other must not both succeed."""
    await tx.execute(_ADMINISTRATORS_LOCK)


async def has_administrator(tx: AsyncSession, besides: UUID | None = None) -> bool:
    """Tell whether anybody holds the role and can use it, leaving out *besides*."""
    holders = select(User.id).where(User.roles.contains(["admin"]), User.status == Status.ACTIVE)
    return await tx.scalar((holders.where(User.id != besides) if besides else holders).limit(1)) is not None


async def lock_signing_keys(tx: AsyncSession) -> None:
    """Wait for any other replica that looks for keys, or makes one."""
    await tx.execute(_SIGNING_KEYS_LOCK)


async def list_signing_keys(tx: AsyncSession) -> Sequence[SigningKey]:
    """Return the signing keys, the one that signs last first."""
    newest = (SigningKey.signs_from.desc(), SigningKey.created_at.desc())
    return list(await tx.scalars(select(SigningKey).order_by(*newest)))


async def withdraw_keys(tx: AsyncSession, replaced_for: timedelta) -> int:
    """Delete the keys whose successor has been signing for *replaced_for*; return how many."""
    successor = (
        select(SigningKey.signs_from)
        .order_by(SigningKey.signs_from.desc())
        .where(SigningKey.signs_from <= func.now() - replaced_for)
        .limit(1)
        .scalar_subquery()
    )
    gone = await tx.scalars(delete(SigningKey).where(SigningKey.signs_from < successor).returning(SigningKey.kid))
    return len(gone.all())


async def withdraw_keys_but(tx: AsyncSession, kid: str) -> None:
    """Delete every signing key but one, at once."""
    await tx.execute(delete(SigningKey).where(SigningKey.kid != kid))
