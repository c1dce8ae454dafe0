"""Accounts and sessions, as their owners use them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from apps.chassis.auth import Caller, public
from apps.chassis.database import Tx
from apps.chassis.problems import may
from apps.users import email_change, leaving, password_change, second_factor, session_store, sessions, store, use_cases
from apps.users.means import Means
from apps.users.origin import From
from apps.users.schemas import (
    Accepted,
    AddressForm,
    CodeForm,
    Credentials,
    EmailChangeForm,
    EmailProof,
    Export,
    PasswordChangeForm,
    ProfileChange,
    ProfileView,
    RecoveryCodes,
    RefreshForm,
    Registration,
    ResetConfirmation,
    SecondFactorSecret,
    SessionPage,
    SessionView,
    SignedIn,
)

NO_STORE = {"Cache-Control": "no-store"}
LAST = UUID(int=(1 << 128) - 1)

router = APIRouter(tags=["accounts"])


async def _means(request: Request) -> Means:
    means: Means = request.app.state.chassis.extra
    return means


Here = Annotated[Means, Depends(_means)]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("/users", status_code=202, dependencies=[public])
async def register(form: Registration, means: Here, origin: From) -> Accepted:
    """Ask for an account; the answer is the same where the address has one."""
    await use_cases.register(means, form, origin)
    return Accepted()


@router.post("/users/verify-email", status_code=204, dependencies=[public], responses=may(410))
async def verify_email(form: EmailProof, tx: Tx, origin: From) -> None:
    """Prove an address with the token that was mailed to it; a change of address takes the tokens of both."""
    await use_cases.verify_email(tx, form.token.get_secret_value(), origin)


@router.post("/users/verify-email/requests", status_code=202, dependencies=[public])
async def request_verification(form: AddressForm, means: Here, origin: From) -> Accepted:
    """Ask for another mail that proves an address, where the first went astray; the answer is always the same."""
    await use_cases.request_verification(means, form.email, origin)
    return Accepted()


@router.post("/sessions", status_code=201, dependencies=[public], responses=may(401))
async def sign_in(form: Credentials, means: Here, response: Response, origin: From) -> SignedIn:
    """Begin a session."""
    response.headers.update(NO_STORE)
    return await sessions.sign_in(means, form, origin)


@router.post("/sessions/refresh", dependencies=[public], responses=may(401))
async def refresh(form: RefreshForm, means: Here, response: Response, origin: From) -> SignedIn:
    """Trade a refresh token for new tokens; one that was traded before, but for the last moments, ends its session."""
    response.headers.update(NO_STORE)
    return await sessions.refresh(means, form.refresh_token.get_secret_value(), origin)


@router.get("/sessions")
async def list_sessions(caller: Caller, tx: Tx, limit: Limit = 50, cursor: UUID = LAST) -> SessionPage:
    """List the caller's sessions, newest first."""
    await store.must_be_signed_in(tx, caller)
    found = await session_store.list_by_user(tx, caller.id, cursor, limit)
    items = [
        SessionView.model_validate(each).model_copy(update={"current": each.id == caller.session_id}) for each in found
    ]
    return SessionPage(items=items, next=items[-1].id if len(items) == limit else None)


@router.delete("/sessions/current", status_code=204)
async def sign_out(caller: Caller, tx: Tx, origin: From) -> None:
    """End the session that the access token belongs to."""
    await sessions.end(tx, caller, caller.session_id, origin)


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: UUID, caller: Caller, tx: Tx, origin: From) -> None:
    """End one of the caller's sessions."""
    await store.must_be_signed_in(tx, caller)
    await sessions.end(tx, caller, session_id, origin)


@router.delete("/sessions", status_code=204)
async def end_sessions(caller: Caller, tx: Tx, origin: From) -> None:
    """End all of the caller's sessions, this one included."""
    await sessions.end_all(tx, caller, origin)


@router.get("/users/me", responses=may(404))
async def read_profile(caller: Caller, tx: Tx) -> ProfileView:
    """Show the caller's account."""
    return await leaving.profile(tx, await use_cases.own_account(tx, caller))


@router.patch("/users/me", responses=may(404))
async def change_profile(form: ProfileChange, caller: Caller, tx: Tx) -> ProfileView:
    """Change the fields named."""
    return await leaving.profile(tx, await use_cases.change_profile(tx, caller, form))


@router.delete("/users/me", status_code=202, responses=may(403, 404, 409))
async def erase(caller: Caller, means: Here, tx: Tx, origin: From) -> dict[str, str]:
    """Forget the caller, here and in every other service; it takes a session that began a moment ago."""
    await leaving.erase(tx, means, caller, origin)
    return {"status": "being_erased"}


@router.get("/users/me/export", responses=may(403, 404))
async def export(caller: Caller, means: Here, tx: Tx, origin: From, response: Response) -> Export:
    """Show all that is stored here about the caller."""
    response.headers.update(NO_STORE)
    return await leaving.export(tx, means, caller, origin)


@router.post("/users/me/password", status_code=204, responses=may(403, 404))
async def change_password(form: PasswordChangeForm, caller: Caller, means: Here, origin: From) -> None:
    """Change the password, and end the caller's other sessions."""
    await password_change.change(means, caller, form, origin)


@router.post("/users/me/email", status_code=202, responses=may(403, 404))
async def change_email(form: EmailChangeForm, caller: Caller, means: Here, origin: From) -> Accepted:
    """Ask for another address; it changes when the old and the new one have confirmed."""
    await email_change.request(means, caller, form, origin)
    return Accepted()


@router.post("/users/me/totp", responses=may(403, 404, 409))
async def set_up_totp(caller: Caller, means: Here, tx: Tx, response: Response) -> SecondFactorSecret:
    """Get the secret of a second factor, which is off until a code of it was confirmed."""
    response.headers.update(NO_STORE)
    return await second_factor.set_up(tx, means, caller)


@router.post("/users/me/totp/confirm", responses=may(403, 404, 409))
async def confirm_totp(form: CodeForm, caller: Caller, means: Here, origin: From, response: Response) -> RecoveryCodes:
    """Turn the second factor on, and get recovery codes."""
    response.headers.update(NO_STORE)
    return RecoveryCodes(recovery_codes=await second_factor.confirm(means, caller, form.otp, origin))


@router.delete("/users/me/totp", status_code=204, responses=may(403, 404))
async def remove_totp(caller: Caller, means: Here, tx: Tx, origin: From) -> None:
    """Turn the second factor off; it takes a session that began a moment ago."""
    await second_factor.remove(tx, means, caller, origin)


@router.post("/password-resets", status_code=202, dependencies=[public])
async def request_reset(form: AddressForm, means: Here, origin: From) -> Accepted:
    """Ask for a link by which a forgotten password is replaced; the answer is always the same."""
    await password_change.request_reset(means, form.email, origin)
    return Accepted()


@router.post("/password-resets/confirm", status_code=204, dependencies=[public], responses=may(410))
async def reset(form: ResetConfirmation, means: Here, origin: From) -> None:
    """Replace the password with the token that was mailed, and end every session."""
    await password_change.reset(means, form.token.get_secret_value(), form.new_password, origin)
