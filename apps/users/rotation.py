"""Changing the signing key while tokens of the earlier one are about, and while others cannot ask for the new one."""

from datetime import UTC, datetime

from apps.chassis.tokens import Jwk
from apps.users import audit, keys, store
from apps.users.means import Means
from apps.users.origin import Origin


async def reload(means: Means) -> list[Jwk]:
    """Use the keys as the database has them now, whichever replica changed them; return what is published."""
    async with means.database.transaction() as tx:
        means.signer.use(await store.list_signing_keys(tx))
    return list(means.signer.published)


async def rotate(means: Means, by: str, origin: Origin | None = None, *, compromised: bool = False) -> str:
    """Make a new key and return its id.

    It is published at once and signs once every verifier has fetched it, users away or not; the earlier one stays
    published while its tokens live. A compromised key goes at once instead, and its tokens with it.
    """
    now = datetime.now(UTC)
    signs_from = now if compromised else now + means.settings.keys_announced_for
    async with means.database.transaction() as tx:
        await store.lock_signing_keys(tx)
        made = await keys.make(tx, means.sealer, signs_from)
        if compromised:
            await store.withdraw_keys_but(tx, made.kid)
        await audit.record(tx, "signing_key_rotated", None, by, origin, kid=made.kid, compromised=compromised)
        means.signer.use(await store.list_signing_keys(tx))
    return made.kid


async def keep(means: Means) -> None:
    """Rotate when it is time, withdraw what nobody needs any more, and take over what other replicas did."""
    settings, due = means.settings, datetime.now(UTC) - means.settings.keys_rotate_every
    async with means.database.transaction() as tx:
        await store.lock_signing_keys(tx)
        newest = (await store.list_signing_keys(tx))[0]
        if newest.created_at < due:
            made = await keys.make(tx, means.sealer, datetime.now(UTC) + settings.keys_announced_for)
            await audit.record(tx, "signing_key_rotated", None, "clock", kid=made.kid)
        await store.withdraw_keys(tx, settings.keys_kept_for)
        means.signer.use(await store.list_signing_keys(tx))
