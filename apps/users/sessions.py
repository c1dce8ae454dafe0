"""The use cases of signing in: a session, and the refresh tokens that descend from it."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from apps.users import store
from apps.users.domain import CredentialsRefusedError, RefreshRefusedError, RefreshToken, digest
from apps.users.schemas import Credentials, SignedIn
from apps.users.tables import Session, User
from apps.users.use_cases import Means, alert


async def sign_in(means: Means, form: Credentials) -> SignedIn:
    """Begin a session; whatever is wrong, the answer is the same and takes as long."""
    async with means.database.transaction() as tx:
        known = await store.find_user(tx, form.email)
    password = form.password.get_secret_value()
    if not await means.passwords.verify(known.password_hash if known else None, password) or known is None:
        raise CredentialsRefusedError
    renewed = await means.passwords.hash(password) if means.passwords.outdated(known.password_hash) else None
    async with means.database.transaction() as tx:
        user = await store.lock_user(tx, known.id)
        if user.password_hash != known.password_hash:  # changed while we verified the earlier one
            raise CredentialsRefusedError
        user.password_hash = renewed or user.password_hash
        await store.forget_expired(tx, user.id)
        token = RefreshToken.first(uuid7())
        await store.add(tx, _session(means, user, token))
    return _signed_in(means, user, token)


async def refresh(means: Means, presented: str) -> SignedIn:
    """Trade the newest refresh token for the next; one that was traded before ends the session for everybody."""
    old = RefreshToken.load(presented)
    new = old.next()
    async with means.database.transaction() as tx:
        if user_id := await store.advance_session(tx, old, new, _expiry(means)):
            user = await store.get_user(tx, user_id)
            return _signed_in(means, user, new)
        if user_id := await store.end_family(tx, old):
            alert(tx, await store.lock_user(tx, user_id), "refresh_token_reused")
    # raised only here: within the transaction it would undo the end of the session
    raise RefreshRefusedError


async def sign_out(means: Means, session_id: UUID | None, user_id: UUID) -> None:
    """End the session that a token belongs to; a token of no session has none to end."""
    if session_id:
        async with means.database.transaction() as tx:
            await store.end_session(tx, session_id, user_id)


def _session(means: Means, user: User, token: RefreshToken) -> Session:
    return Session(
        id=token.session_id,
        user_id=user.id,
        family_hash=digest(token.family),
        generation=token.generation,
        secret_hash=digest(token.secret),
        expires_at=_expiry(means),
    )


def _expiry(means: Means) -> datetime:
    return datetime.now(UTC) + means.settings.session_ttl


def _signed_in(means: Means, user: User, token: RefreshToken) -> SignedIn:
    ttl = means.settings.access_ttl
    return SignedIn(
        access_token=means.signer.issue(
            user.id, user.roles, ttl, email_verified=user.email_verified, session_id=token.session_id
        ),
        expires_in=int(ttl.total_seconds()),
        refresh_token=token.dump(),
        session_id=token.session_id,
    )
