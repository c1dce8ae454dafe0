"""Somebody has to be the first: made at a start where nobody is, with a password out of the secret store."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.settings import MisconfiguredError
from apps.chassis.sidecar import Sidecar, SidecarError
from apps.chassis.telemetry import log
from apps.users import audit, facts, store
from apps.users.means import Means

PASSWORD = "users-first-admin-password"  # noqa: S105  # its name
_SHORTEST = 16


async def ensure(means: Means, sidecar: Sidecar) -> None:
    """Make the first administrator, unless there is one; several replicas may start at once."""
    async with means.database.transaction() as tx:
        if await store.has_administrator(tx):
            return
    try:
        password = await sidecar.secret(PASSWORD)
    except SidecarError:
        log.warning("no_administrator", remedy=f"put {PASSWORD} into the secret store and restart users")
        return
    if len(password) < _SHORTEST:
        raise MisconfiguredError(f"secret {PASSWORD} is shorter than {_SHORTEST} characters; correct it in secrets")
    password_hash = await means.passwords.hash(password)
    async with means.database.transaction() as tx:
        await store.lock_administrators(tx)
        if not await store.has_administrator(tx):
            await _make(tx, means.settings.first_admin_email, password_hash)


async def _make(tx: AsyncSession, email: str, password_hash: str) -> None:
    user_id = uuid7()
    fields: dict[str, Any] = {"id": user_id, "email": email, "password_hash": password_hash, "email_verified": True}
    fields |= {"locale": "en", "timezone": "UTC", "roles": ["admin", "customer"], "sequence": 0}
    if not await store.add_user(tx, fields):
        # an account that anybody could register must not become an administrator's
        log.warning("no_administrator", remedy="its address is taken: set USERS_FIRST_ADMIN_EMAIL, restart users")
        return
    facts.registered(tx, await store.get_user(tx, user_id))
    await audit.record(tx, "first_administrator_made", user_id, audit.OPERATOR)
