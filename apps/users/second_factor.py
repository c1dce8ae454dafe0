"""The second factor: set up, confirmed, asked for at sign-in, removed."""

import time

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Principal
from apps.users import audit, facts, recent, store, throttling, totp
from apps.users.domain import CodeRefusedError, SecondFactorOnError, digest
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.schemas import SecondFactorSecret
from apps.users.tables import SecondFactor, User


async def set_up(tx: AsyncSession, means: Means, caller: Principal) -> SecondFactorSecret:
    """Make a secret; it asks for nothing until it is confirmed."""
    await recent.must_be_recent(tx, means, caller)
    user = await store.lock_user(tx, caller.id)
    factor = await store.find_second_factor(tx, user.id)
    if factor and factor.confirmed_at:
        raise SecondFactorOnError
    secret = totp.new_secret()
    await store.put_second_factor(tx, user.id, means.sealer.seal(secret.encode(), _context(user)))
    return SecondFactorSecret(secret=secret, otpauth_uri=totp.uri(secret, user.email))


async def confirm(means: Means, caller: Principal, otp: str, origin: Origin) -> list[str]:
    """Turn the second factor on for one whose app knows the secret; return the recovery codes, shown this once."""
    key = throttling.session(caller.session_id or caller.id)
    async with means.database.transaction() as tx:
        await throttling.admit(tx, key)
    async with means.database.transaction() as tx:
        await store.must_be_signed_in(tx, caller)
        user = await store.lock_user(tx, caller.id)
        factor = await store.find_second_factor(tx, user.id)
        if factor and factor.confirmed_at:
            raise SecondFactorOnError
        step = _step(means, user, factor, otp) if factor else None
        if step is not None and await store.use_step(tx, user.id, step, confirm=True):
            codes = totp.new_recovery_codes()
            await store.replace_recovery_codes(tx, user.id, [_hash(code) for code in codes])
            await throttling.forget(tx, key)
            facts.alert(tx, user, "totp_enabled")
            await audit.record(tx, "totp_enabled", user.id, audit.actor(caller), origin)
            return codes
        await audit.record(tx, "totp_enabled", user.id, audit.actor(caller), origin, outcome=audit.REFUSED)
    # raised only here: within the transaction it would undo what is kept of the try
    raise CodeRefusedError


async def remove(tx: AsyncSession, means: Means, caller: Principal, origin: Origin) -> None:
    """Turn the second factor off, for one who proved it a moment ago by signing in."""
    await recent.must_be_recent(tx, means, caller)
    user = await store.lock_user(tx, caller.id)
    if await store.delete_second_factor(tx, user.id):
        facts.alert(tx, user, "totp_disabled")
        await audit.record(tx, "totp_disabled", user.id, audit.actor(caller), origin)


async def passes(tx: AsyncSession, means: Means, user: User, otp: str | None, origin: Origin) -> bool:
    """Tell whether *user*, locked, may sign in with this code, and use the code up."""
    factor = await store.find_second_factor(tx, user.id)
    if factor is None or factor.confirmed_at is None:
        return True
    if otp is None:
        return False
    if (step := _step(means, user, factor, otp)) is not None:
        return await store.use_step(tx, user.id, step)
    if not await store.use_recovery_code(tx, user.id, _hash(otp)):
        return False
    facts.alert(tx, user, "recovery_code_used")
    await audit.record(tx, "recovery_code_used", user.id, f"user:{user.id}", origin)
    return True


def _step(means: Means, user: User, factor: SecondFactor, otp: str) -> int | None:
    secret = means.sealer.open(factor.sealed_secret, _context(user)).decode()
    return totp.matching_step(secret, otp, time.time())


def _hash(code: str) -> bytes:
    return digest(totp.plain_recovery_code(code).encode())


def _context(user: User) -> str:
    return f"second_factors:{user.id}"
