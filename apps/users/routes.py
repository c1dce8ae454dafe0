from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from apps.chassis.auth import Caller, internal, public
from apps.chassis.database import Tx
from apps.users import sessions, use_cases
from apps.users.schemas import (
    ContactView,
    Credentials,
    EmailProof,
    OperatorToken,
    OperatorTokenForm,
    ProfileChange,
    ProfileView,
    RefreshForm,
    Registration,
    RegistrationAccepted,
    SignedIn,
)
from apps.users.use_cases import Means

# Longer than it takes verifiers to hear of a new key, shorter than a withdrawn one may live on.
_KEYS_MAX_AGE_S = 300
_NO_STORE = {"Cache-Control": "no-store"}

router = APIRouter()


async def _means(request: Request) -> Means:
    means: Means = request.app.state.chassis.extra
    return means


Here = Annotated[Means, Depends(_means)]


@router.post("/users", status_code=202, dependencies=[public])
async def register(form: Registration, means: Here) -> RegistrationAccepted:
    """Ask for an account; the answer is the same where the address has one."""
    await use_cases.register(means, form)
    return RegistrationAccepted()


@router.post("/users/verify-email", status_code=204, dependencies=[public])
async def verify_email(form: EmailProof, tx: Tx) -> None:
    """Prove an address with the token that was mailed to it."""
    await use_cases.verify_email(tx, form.token.get_secret_value())


@router.post("/sessions", status_code=201, dependencies=[public])
async def sign_in(form: Credentials, means: Here, response: Response) -> SignedIn:
    """Begin a session."""
    response.headers.update(_NO_STORE)
    return await sessions.sign_in(means, form)


@router.post("/sessions/refresh", dependencies=[public])
async def refresh(form: RefreshForm, means: Here, response: Response) -> SignedIn:
    """Trade a refresh token for new tokens; a token used twice ends its session."""
    response.headers.update(_NO_STORE)
    return await sessions.refresh(means, form.refresh_token.get_secret_value())


@router.delete("/sessions/current", status_code=204)
async def sign_out(caller: Caller, means: Here) -> None:
    """End the session that the access token belongs to."""
    await sessions.sign_out(means, caller.session_id, caller.id)


@router.get("/users/me")
async def read_profile(caller: Caller, tx: Tx) -> ProfileView:
    """Show the caller's account."""
    return ProfileView.model_validate(await use_cases.profile(tx, caller.id))


@router.patch("/users/me")
async def change_profile(form: ProfileChange, caller: Caller, tx: Tx) -> ProfileView:
    """Change the fields named."""
    return ProfileView.model_validate(await use_cases.change_profile(tx, caller.id, form))


@router.get("/.well-known/openid-configuration", dependencies=[public])
async def discovery(means: Here, response: Response) -> dict[str, Any]:
    """Say who issues the tokens and where their keys are."""
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_MAX_AGE_S}"
    return means.signer.discovery()


@router.get("/.well-known/jwks.json", dependencies=[public])
async def keys(means: Here, response: Response) -> dict[str, Any]:
    """Publish the keys that verify access tokens."""
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_MAX_AGE_S}"
    return {"keys": means.signer.published}


@router.get("/internal/users/contact", dependencies=[internal("notifications")])
async def contact(user_id: Annotated[UUID, Query(alias="id")], tx: Tx) -> ContactView:
    """Say how to reach a person."""
    return ContactView.model_validate(await use_cases.profile(tx, user_id))


@router.post("/internal/operator-tokens", status_code=201, dependencies=[internal()])
async def operator_token(form: OperatorTokenForm, means: Here, response: Response) -> OperatorToken:
    """Make an access token for the local operator; no other service may ask."""
    response.headers.update(_NO_STORE)
    return OperatorToken(access_token=use_cases.operator_token(means, form))
