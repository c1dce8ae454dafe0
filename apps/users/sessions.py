"""The use cases of signing in: a session, and the refresh tokens that descend from it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.auth import Principal
from apps.users import audit, devices, facts, second_factor, session_store, store, throttling
from apps.users.domain import CredentialsRefusedError, RefreshRefusedError
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.refresh_tokens import RefreshToken
from apps.users.schemas import Credentials, SignedIn
from apps.users.session_store import Found, Known, Wish
from apps.users.tables import User


async def sign_in(means: Means, form: Credentials, origin: Origin) -> SignedIn:
    """Begin a session; whatever is wrong, the answer is the same and takes as long."""
    means.passwords.expect_room()
    known, counted = await _counted(means, form, origin)
    password = form.password.get_secret_value()
    right = await means.passwords.verify(known.password_hash if known else None, password)
    if right and known:
        outdated = means.passwords.outdated(known.password_hash)
        renewed = await means.passwords.hash(password) if outdated else known.password_hash
        ttl = min(means.settings.session_ttl, means.settings.session_lifetime)
        wish = Wish(known, renewed, RefreshToken.first(uuid7()), origin, ttl, counted, _replaced(form))
        if user := await _begun(means, wish, form.otp):
            return _signed_in(means, user, wish.token, device=devices.issue(means.sealer.derived("devices"), user.id))
    async with means.database.statement() as single:
        await audit.record(
            single, "signed_in", known.id if known else None, audit.ANYONE, origin, outcome=audit.REFUSED
        )
    raise CredentialsRefusedError


async def _counted(means: Means, form: Credentials, origin: Origin) -> tuple[Known | None, list[throttling.Key]]:
    """Return the account, and under what this try was counted: strangers do not hold up a device of its owner's."""
    keys = [throttling.pair(form.email, origin.address), throttling.account(form.email)]
    async with means.database.statement() as single:
        if form.device_token is None:
            return await session_store.tried(single, form.email, *keys), keys
        known = await session_store.known(single, form.email)
        token = form.device_token.get_secret_value()
        if known and (device := devices.recognise(means.sealer.derived("devices"), known.id, token)):
            keys = [throttling.device(device)]
        await throttling.admit(single, *keys)
        return known, keys


def _replaced(form: Credentials) -> RefreshToken | None:
    """Return the token of the session that is to end; one that nobody can read ends none."""
    try:
        return RefreshToken.load(form.refresh_token.get_secret_value()) if form.refresh_token else None
    except RefreshRefusedError:
        return None


async def _begun(means: Means, wish: Wish, otp: str | None) -> Found | None:
    """Begin the session; None where the account is not what it was, or what else it asks for is not right."""
    async with means.database.statement() as single:
        found = await session_store.begin(single, wish)
    if found is None or not found.second_factor:
        return found
    async with means.database.transaction() as tx:
        user = await store.find_locked(tx, found.id)
        if user and await second_factor.passes(tx, means, user, otp, wish.origin):
            return await session_store.begin(tx, wish, passed=True)
    return None


async def refresh(means: Means, presented: str, origin: Origin) -> SignedIn:
    """Trade the newest refresh token for the next, the same one within the grace; an older one ends the session."""
    old, settings = RefreshToken.load(presented), means.settings
    new = old.next(means.sealer.derived("refresh tokens"))
    async with means.database.transaction() as tx:
        user_id = await session_store.advance(tx, old, new, settings.session_ttl, settings.session_lifetime)
        user_id = user_id or await session_store.replaced_a_moment_ago(tx, old, new, settings.refresh_grace)
        if user_id:
            return _signed_in(means, await store.get_user(tx, user_id), new)
        if user_id := await session_store.end_family(tx, old):
            facts.alert(tx, await store.lock_user(tx, user_id), "refresh_token_reused")
            said = {"session": str(old.session_id), "generation": old.generation}
            await audit.record(tx, "refresh_token_reused", user_id, audit.ANYONE, origin, outcome=audit.REFUSED, **said)
    # raised only here: within the transaction it would undo the end of the session
    raise RefreshRefusedError


async def end(tx: AsyncSession, caller: Principal, session_id: UUID | None, origin: Origin) -> None:
    """End one of the caller's sessions; one that has ended, or that a token never had, is no error."""
    if session_id and await session_store.end(tx, session_id, caller.id):
        await audit.record(tx, "session_ended", caller.id, audit.actor(caller), origin, session=str(session_id))


async def end_all(tx: AsyncSession, caller: Principal, origin: Origin) -> None:
    """End every session of the caller."""
    if ended := await session_store.end_all(tx, caller.id):
        await audit.record(tx, "sessions_ended", caller.id, audit.actor(caller), origin, number=ended)


def _signed_in(means: Means, user: User | Found, token: RefreshToken, device: str | None = None) -> SignedIn:
    ttl = means.settings.access_ttl
    return SignedIn(
        access_token=means.signer.issue(
            user.id, user.roles, ttl, email_verified=user.email_verified, session_id=token.session_id
        ),
        expires_in=int(ttl.total_seconds()),
        refresh_token=token.dump(),
        session_id=token.session_id,
        device_token=device,
    )
