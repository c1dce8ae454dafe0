from apps.chassis.auth import Principal
from apps.users import audit, store, throttling
from apps.users.domain import PasswordWrongError
from apps.users.means import Means
from apps.users.origin import Origin


async def check(means: Means, caller: Principal, password: str, origin: Origin) -> str:
    """Raise unless this is the caller's password, however often a stolen token tries; return its hash."""
    means.passwords.expect_room()
    key = throttling.session(caller.session_id or caller.id)
    async with means.database.transaction() as tx:
        await store.must_be_signed_in(tx, caller)
        known = await store.get_user(tx, caller.id)
        await throttling.admit(tx, key)
    right = await means.passwords.verify(known.password_hash, password)
    async with means.database.transaction() as tx:
        if right:
            await throttling.forget(tx, key)
            return known.password_hash
        await audit.record(tx, "password_checked", caller.id, audit.actor(caller), origin, outcome=audit.REFUSED)
    raise PasswordWrongError
