"""The use cases of signing in: a session, and the refresh tokens that descend from it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.auth import Principal
from apps.users import audit, devices, facts, second_factor, session_store, store, throttling
from apps.users.domain import CredentialsRefusedError, RefreshRefusedError, Status
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.refresh_tokens import RefreshToken
from apps.users.schemas import Credentials, SignedIn
from apps.users.session_store import Known, Locked
from apps.users.tables import User


async def sign_in(means: Means, form: Credentials, origin: Origin) -> SignedIn:
    """Begin a session; whatever is wrong, the answer is the same and takes as long."""
    means.passwords.expect_room()
    async with means.database.reading() as reading:
        known = await session_store.known(reading, form.email)
    counted = _counted(means, form, known, origin)
    async with means.database.transaction() as tx:
        await throttling.admit(tx, *counted)
    password = form.password.get_secret_value()
    right = await means.passwords.verify(known.password_hash if known else None, password)
    hashed = known.password_hash if known else ""
    if right and means.passwords.outdated(hashed):
        hashed = await means.passwords.hash(password)
    async with means.database.transaction() as tx:
        user = await _admitted(tx, means, known, form.otp, origin) if right and known else None
        if user:
            await throttling.forget(tx, *counted)
            token, ttl = RefreshToken.first(uuid7()), min(means.settings.session_ttl, means.settings.session_lifetime)
            await session_store.begin(tx, Known(user.id, hashed), token, origin, ttl)
            await audit.record(tx, "signed_in", user.id, f"user:{user.id}", origin, session=str(token.session_id))
            return _signed_in(means, user, token, device=devices.issue(means.sealer.derived("devices"), user.id))
        await audit.record(tx, "signed_in", known.id if known else None, audit.ANYONE, origin, outcome=audit.REFUSED)
    # raised only here: within the transaction it would undo what is kept of the try
    raise CredentialsRefusedError


def _counted(means: Means, form: Credentials, known: Known | None, origin: Origin) -> list[throttling.Key]:
    """Return under what a try counts: a device that its owner signed in from is not held up by strangers."""
    if known and form.device_token:
        token = form.device_token.get_secret_value()
        if device := devices.recognise(means.sealer.derived("devices"), known.id, token):
            return [throttling.device(device)]
    return [throttling.pair(form.email, origin.address), throttling.account(form.email)]


async def _admitted(tx: AsyncSession, means: Means, known: Known, otp: str | None, origin: Origin) -> Locked | None:
    """Return the account, locked, where its password is still the one verified and what else it asks for is right."""
    user = await session_store.lock(tx, known.id)
    if user is None or user.password_hash != known.password_hash or user.status != Status.ACTIVE:
        return None
    if user.second_factor and not await second_factor.passes(tx, means, await store.get_user(tx, user.id), otp, origin):
        return None
    return user


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


def _signed_in(means: Means, user: User | Locked, token: RefreshToken, device: str | None = None) -> SignedIn:
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
