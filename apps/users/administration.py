"""What administrators do to accounts of others; support may look."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Principal, Role
from apps.users import audit, facts, session_store, store
from apps.users.domain import LastAdministratorError, Status
from apps.users.origin import Origin
from apps.users.tables import User


async def show(tx: AsyncSession, caller: Principal, user_id: UUID) -> User:
    """Return an account, to one whose session is alive."""
    await store.must_be_signed_in(tx, caller)
    return await store.get_user(tx, user_id)


async def assign(tx: AsyncSession, caller: Principal, user_id: UUID, roles: list[str], origin: Origin) -> User:
    """Give an account these roles and no others; its tokens follow within minutes."""
    user = await _changeable(tx, caller, user_id, keeps_admin=Role.ADMIN in roles)
    before, after = sorted(user.roles), sorted(set(roles))
    if before != after:
        user.roles = after
        facts.alert(tx, user, "roles_changed")
        by = audit.actor(caller)
        await audit.record(tx, "roles_changed", user.id, by, origin, before=before, after=after)
    return user


async def lock(tx: AsyncSession, caller: Principal, user_id: UUID, origin: Origin) -> User:
    """Keep an account from being used, and end its sessions."""
    user = await _changeable(tx, caller, user_id, keeps_admin=False)
    if user.status != Status.LOCKED:
        user.status = Status.LOCKED
        facts.alert(tx, user, "account_locked")
        await session_store.end_all(tx, user.id)
        await audit.record(tx, "account_locked", user.id, audit.actor(caller), origin)
    return user


async def unlock(tx: AsyncSession, caller: Principal, user_id: UUID, origin: Origin) -> User:
    """Let an account be used again."""
    await store.must_be_signed_in(tx, caller)
    user = await store.lock_user(tx, user_id)
    if user.status != Status.ACTIVE:
        user.status = Status.ACTIVE
        await audit.record(tx, "account_unlocked", user.id, audit.actor(caller), origin)
    return user


async def end_sessions(tx: AsyncSession, caller: Principal, user_id: UUID, origin: Origin) -> None:
    """End every session of an account: its owner lost a device, or somebody else has it."""
    await store.must_be_signed_in(tx, caller)
    user = await store.lock_user(tx, user_id)
    if ended := await session_store.end_all(tx, user.id):
        await audit.record(tx, "sessions_ended", user.id, audit.actor(caller), origin, number=ended)


async def _changeable(tx: AsyncSession, caller: Principal, user_id: UUID, *, keeps_admin: bool) -> User:
    """Return the account, locked, unless it is the last administrator's and would be one no more."""
    await store.must_be_signed_in(tx, caller)
    await store.lock_administrators(tx)
    user = await store.lock_user(tx, user_id)
    loses = Role.ADMIN in user.roles and user.status == Status.ACTIVE and not keeps_admin
    if loses and not await store.has_administrator(tx, besides=user.id):
        raise LastAdministratorError
    return user
