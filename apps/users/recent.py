from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Principal
from apps.users import store
from apps.users.domain import SignInTooOldError
from apps.users.means import Means


async def must_be_recent(tx: AsyncSession, means: Means, caller: Principal) -> None:
    """Raise where the caller's session began too long ago: a stolen token must not do what cannot be undone."""
    session = await store.must_be_signed_in(tx, caller)
    if session and session.created_at + means.settings.recent_sign_in < datetime.now(UTC):
        raise SignInTooOldError
