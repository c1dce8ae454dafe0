"""Accounts of others, machine clients and signing keys: for support and administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from apps.chassis.auth import Admin, Role, Support
from apps.chassis.database import Tx
from apps.chassis.problems import may
from apps.chassis.texts import STORABLE
from apps.users import administration, audit, machines, rotation, search, store
from apps.users.admin_schemas import (
    AuditPage,
    AuditView,
    ClientForm,
    ClientPage,
    ClientWithSecret,
    RolesForm,
    Rotated,
    RotationForm,
    UserPage,
    UserView,
)
from apps.users.domain import Status
from apps.users.origin import From
from apps.users.routes import LAST, NO_STORE, Here, Limit
from apps.users.tables import AuditEvent

router = APIRouter(tags=["administration"])

_Beginning = Annotated[str, Query(min_length=1, max_length=254, pattern=STORABLE)]
_Cursor = Annotated[str, Query(max_length=2_000)]
_Action = Annotated[str, Query(pattern="^[a-z_]{1,64}$")]


@router.get("/users")
async def find_users(
    *,
    caller: Support,
    tx: Tx,
    q: _Beginning | None = None,
    role: Role | None = None,
    status: Status | None = None,
    limit: Limit = 50,
    cursor: _Cursor | None = None,
) -> UserPage:
    """Find accounts whose address or name begins with `q`, or the newest."""
    await store.must_be_signed_in(tx, caller)
    found, following = await search.find(tx, search.Wanted(q, role, status), cursor, limit)
    return UserPage(items=[UserView.model_validate(user) for user in found], next=following)


@router.get("/users/{user_id}", responses=may(404))
async def show_user(user_id: UUID, caller: Support, tx: Tx) -> UserView:
    """Show an account."""
    return UserView.model_validate(await administration.show(tx, caller, user_id))


@router.put("/users/{user_id}/roles", responses=may(404, 409))
async def assign_roles(user_id: UUID, form: RolesForm, caller: Admin, tx: Tx, origin: From) -> UserView:
    """Give an account these roles and no others."""
    roles = [role.value for role in form.roles]
    return UserView.model_validate(await administration.assign(tx, caller, user_id, roles, origin))


@router.post("/users/{user_id}/lock", responses=may(404, 409))
async def lock_user(user_id: UUID, caller: Admin, tx: Tx, origin: From) -> UserView:
    """Keep an account from being used, and end its sessions."""
    return UserView.model_validate(await administration.lock(tx, caller, user_id, origin))


@router.post("/users/{user_id}/unlock", responses=may(404))
async def unlock_user(user_id: UUID, caller: Admin, tx: Tx, origin: From) -> UserView:
    """Let an account be used again."""
    return UserView.model_validate(await administration.unlock(tx, caller, user_id, origin))


@router.delete("/users/{user_id}/sessions", status_code=204, responses=may(404))
async def end_sessions_of(user_id: UUID, caller: Admin, tx: Tx, origin: From) -> None:
    """End every session of an account, whose owner may sign in again."""
    await administration.end_sessions(tx, caller, user_id, origin)


@router.get("/users/{user_id}/audit")
async def list_audit(user_id: UUID, caller: Admin, tx: Tx, limit: Limit = 50, cursor: UUID = LAST) -> AuditPage:
    """List what happened to an account, newest first; also to one that is erased."""
    await store.must_be_signed_in(tx, caller)
    return _trail(await audit.list_by_user(tx, user_id, cursor, limit), limit)


@router.get("/audit")
async def list_trail(
    caller: Admin, tx: Tx, action: _Action | None = None, limit: Limit = 50, cursor: UUID = LAST
) -> AuditPage:
    """List what happened to anybody and to anything, newest first: signing keys and clients belong to no account."""
    await store.must_be_signed_in(tx, caller)
    return _trail(await audit.list_newest(tx, action, cursor, limit), limit)


def _trail(found: list[AuditEvent], limit: int) -> AuditPage:
    items = [AuditView.model_validate(each) for each in found]
    return AuditPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post("/clients", status_code=201)
async def make_client(form: ClientForm, caller: Admin, tx: Tx, origin: From, response: Response) -> ClientWithSecret:
    """Make a machine client; its secret is shown this once."""
    response.headers.update(NO_STORE)
    return await machines.make(tx, caller, form, origin)


@router.get("/clients")
async def list_clients(caller: Admin, tx: Tx, limit: Limit = 50, cursor: UUID = LAST) -> ClientPage:
    """List machine clients, newest first."""
    items = await machines.list_before(tx, caller, cursor, limit)
    return ClientPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.post("/clients/{client_id}/secrets", status_code=201, responses=may(404))
async def renew_secret(
    *, client_id: UUID, caller: Admin, means: Here, tx: Tx, origin: From, response: Response
) -> ClientWithSecret:
    """Give a client another secret; the one before works for a while beside it."""
    response.headers.update(NO_STORE)
    return await machines.renew_secret(tx, caller, client_id, means.settings.secrets_overlap, origin)


@router.delete("/clients/{client_id}", status_code=204, responses=may(404))
async def revoke_client(client_id: UUID, caller: Admin, tx: Tx, origin: From) -> None:
    """Let a client get no token any more."""
    await machines.revoke(tx, caller, client_id, origin)


@router.post("/signing-keys", status_code=201)
async def rotate_signing_key(form: RotationForm, caller: Admin, means: Here, origin: From) -> Rotated:
    """Make a new signing key: announced first and used later, or at once where the earlier one is compromised."""
    async with means.database.transaction() as tx:
        await store.must_be_signed_in(tx, caller)
    made = await rotation.rotate(means, audit.actor(caller), origin, compromised=form.compromised)
    return Rotated(kid=made, published=[str(key["kid"]) for key in means.signer.published])
