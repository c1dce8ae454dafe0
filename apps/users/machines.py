"""Programs with an identity of their own: made, given scopes, given new secrets and revoked by administrators."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.auth import Principal
from apps.users import audit, domain, store
from apps.users.admin_schemas import ClientForm, ClientView, ClientWithSecret
from apps.users.domain import ClientNotFoundError, digest
from apps.users.means import Means
from apps.users.oauth import Granted, OAuthError, TokenRequest
from apps.users.origin import Origin
from apps.users.tables import MachineClient, MachineSecret


async def make(tx: AsyncSession, caller: Principal, form: ClientForm, origin: Origin) -> ClientWithSecret:
    """Make a client; its secret is shown this once."""
    await store.must_be_signed_in(tx, caller)
    client = MachineClient(id=uuid7(), name=form.name, scopes=sorted(form.scopes), created_at=datetime.now(UTC))
    await store.add(tx, client)
    secret = await _add_secret(tx, client.id)
    said: dict[str, Any] = {"client": str(client.id), "name": client.name, "scopes": client.scopes}
    await audit.record(tx, "client_made", None, audit.actor(caller), origin, **said)
    return ClientWithSecret(**_view(client).model_dump(), client_secret=secret)


async def list_before(tx: AsyncSession, caller: Principal, before: UUID, limit: int) -> list[ClientView]:
    """Return a page of clients, newest first."""
    await store.must_be_signed_in(tx, caller)
    page = select(MachineClient).where(MachineClient.id < before).order_by(MachineClient.id.desc()).limit(limit)
    return [_view(client) for client in await tx.scalars(page)]


async def renew_secret(
    tx: AsyncSession, caller: Principal, client_id: UUID, overlap: timedelta, origin: Origin
) -> ClientWithSecret:
    """Give a client another secret; the one before works for *overlap* more, any older one no more."""
    await store.must_be_signed_in(tx, caller)
    client = await _lock(tx, client_id)
    newest = (
        select(MachineSecret.id)
        .where(MachineSecret.client_id == client_id, MachineSecret.expires_at.is_(None))
        .order_by(MachineSecret.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    await tx.execute(
        delete(MachineSecret).where(MachineSecret.client_id == client_id, MachineSecret.expires_at.is_not(None))
    )
    await tx.execute(update(MachineSecret).where(MachineSecret.id == newest).values(expires_at=func.now() + overlap))
    secret = await _add_secret(tx, client_id)
    await audit.record(tx, "client_secret_renewed", None, audit.actor(caller), origin, client=str(client_id))
    return ClientWithSecret(**_view(client).model_dump(), client_secret=secret)


async def revoke(tx: AsyncSession, caller: Principal, client_id: UUID, origin: Origin) -> None:
    """Let a client get no token any more; those it holds expire within minutes."""
    await store.must_be_signed_in(tx, caller)
    client = await _lock(tx, client_id)
    client.revoked_at = datetime.now(UTC)
    await tx.execute(delete(MachineSecret).where(MachineSecret.client_id == client_id))
    await audit.record(tx, "client_revoked", None, audit.actor(caller), origin, client=str(client_id))


async def grant(means: Means, request: TokenRequest, origin: Origin) -> Granted:
    """Return an access token for a client that knows its secret, with the scopes it may have and asked for."""
    async with means.database.transaction() as tx:
        client = await _authenticated(tx, request)
        error = _error(client, request)
        said: dict[str, Any] = {"client": str(request.client_id)}
        by = f"client:{client.id}" if client else audit.ANYONE
        if error is None:
            wanted = sorted(request.scopes or (client.scopes if client else ()))
            said["scope"] = " ".join(wanted)
            await audit.record(tx, "client_token_issued", None, by, origin, **said)
            return _granted(means, request.client_id, wanted)
        said["error"] = error.error
        await audit.record(tx, "client_token_issued", None, by, origin, outcome=audit.REFUSED, **said)
    # raised only here: within the transaction it would undo what is kept of the try
    raise error


def _error(client: MachineClient | None, request: TokenRequest) -> OAuthError | None:
    if client is None:
        return OAuthError("invalid_client", "The client or its secret is not known here.")
    if not set(request.scopes) <= set(client.scopes):
        return OAuthError("invalid_scope", f"This client may have: {' '.join(client.scopes)}.")
    return None


def _granted(means: Means, client_id: UUID, wanted: list[str]) -> Granted:
    ttl, scope = means.settings.access_ttl, " ".join(wanted)
    roles = domain.roles_within(wanted)
    token = means.signer.issue(client_id, roles, ttl, email_verified=False, client_scope=scope)
    return Granted(access_token=token, expires_in=int(ttl.total_seconds()), scope=scope)


async def _authenticated(tx: AsyncSession, request: TokenRequest) -> MachineClient | None:
    live = or_(MachineSecret.expires_at.is_(None), MachineSecret.expires_at > func.now())
    known = select(MachineClient).join(MachineSecret, MachineSecret.client_id == MachineClient.id)
    mine = (MachineClient.id == request.client_id, MachineSecret.secret_hash == digest(request.secret.encode()))
    return await tx.scalar(known.where(*mine, live, MachineClient.revoked_at.is_(None)).limit(1))


async def _lock(tx: AsyncSession, client_id: UUID) -> MachineClient:
    client = await tx.get(MachineClient, client_id, with_for_update=True)
    if client is None or client.revoked_at:
        raise ClientNotFoundError
    return client


async def _add_secret(tx: AsyncSession, client_id: UUID) -> str:
    secret = domain.new_secret()
    await store.add(tx, MachineSecret(id=uuid7(), client_id=client_id, secret_hash=digest(secret.encode())))
    return secret


def _view(client: MachineClient) -> ClientView:
    return ClientView.model_validate(client)
