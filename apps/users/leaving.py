"""Taking home all that is stored, and being forgotten."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Principal, Role
from apps.users import audit, facts, recent, session_store, store
from apps.users.domain import LastAdministratorError
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.schemas import Export, ProfileView, SessionView
from apps.users.tables import EmailChange, OneTimeToken, User

_LAST = UUID(int=(1 << 128) - 1)
_MOST = 10_000


async def export(tx: AsyncSession, means: Means, caller: Principal, origin: Origin) -> Export:
    """Return all that is stored here about the caller; the other services answer for what they keep."""
    await recent.must_be_recent(tx, means, caller)
    user = await store.get_user(tx, caller.id)
    await audit.record(tx, "exported", user.id, audit.actor(caller), origin)
    factor = await store.find_second_factor(tx, user.id)
    change = await tx.get(EmailChange, user.id)
    tokens = await tx.scalars(select(OneTimeToken).where(OneTimeToken.user_id == user.id))
    happened = await audit.list_by_user(tx, user.id, _LAST, _MOST)
    sessions = await session_store.list_by_user(tx, user.id, _LAST, _MOST)
    fields = ("id", "at", "action", "outcome", "actor", "address", "agent", "detail")
    return Export(
        profile=await profile(tx, user),
        status=user.status,
        sessions=[SessionView.model_validate(each) for each in sessions],
        second_factor={"created_at": factor.created_at, "confirmed_at": factor.confirmed_at} if factor else None,
        email_change={"new_email": change.new_email, "expires_at": change.expires_at} if change else None,
        pending_mails=[{"purpose": each.purpose, "email": each.email, "sent_at": each.created_at} for each in tokens],
        audit=[{field: getattr(each, field) for field in fields} for each in happened],
    )


async def profile(tx: AsyncSession, user: User) -> ProfileView:
    """Return an account as its owner sees it."""
    factor = await store.find_second_factor(tx, user.id)
    enabled = factor is not None and factor.confirmed_at is not None
    return ProfileView.model_validate(user).model_copy(update={"totp_enabled": enabled})


async def erase(tx: AsyncSession, means: Means, caller: Principal, origin: Origin) -> None:
    """Forget the caller here, and have the others do so; the address is free again, the trail stays without a name."""
    await recent.must_be_recent(tx, means, caller)
    await store.lock_administrators(tx)
    user = await store.lock_user(tx, caller.id)
    if Role.ADMIN in user.roles and not await store.has_administrator(tx, besides=user.id):
        raise LastAdministratorError
    facts.erased(tx, user)
    await tx.flush()
    await store.delete_user(tx, user.id)
    await audit.record(tx, "erased", user.id, audit.actor(caller), origin)
    await audit.forget_person(tx, user.id)
