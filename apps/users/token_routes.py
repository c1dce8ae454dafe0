"""How tokens are verified, how machines get theirs, and what the other services and the operator may ask."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from apps.chassis.auth import internal, public
from apps.chassis.database import Tx
from apps.chassis.problems import may
from apps.users import audit, discovery, machines, oauth, rotation, use_cases
from apps.users.admin_schemas import Rotated, RotationForm
from apps.users.oauth import Granted, OAuthError
from apps.users.origin import From
from apps.users.routes import NO_STORE, Here
from apps.users.schemas import ContactView, OperatorToken, OperatorTokenForm

# Longer than it takes verifiers to hear of a new key, shorter than a withdrawn one may live on.
_KEYS_MAX_AGE_S = 300

router = APIRouter(tags=["tokens"])


@router.get("/.well-known/openid-configuration", dependencies=[public])
async def describe(means: Here, response: Response) -> dict[str, Any]:
    """Say who issues the tokens and where their keys are."""
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_MAX_AGE_S}"
    return discovery.describe(means.signer.issuer)


@router.get("/.well-known/jwks.json", dependencies=[public])
async def keys(means: Here, response: Response) -> dict[str, Any]:
    """Publish the keys that verify access tokens, as the database has them: another replica may have made one."""
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_MAX_AGE_S}"
    return {"keys": await rotation.reload(means)}


@router.post(
    "/oauth2/token", dependencies=[public], responses=may(400, 401), openapi_extra=oauth.REQUEST_BODY,
    response_model=Granted,
)  # fmt: skip
async def token(request: Request, means: Here, response: Response, origin: From) -> Granted | Response:
    """Give a machine client an access token for its own name and secret, in the header or in the form."""
    response.headers.update(NO_STORE)
    try:
        headers = request.headers
        asked = oauth.read(await request.body(), headers.get("content-type", ""), headers.get("authorization"))
        return await machines.grant(means, asked, origin)
    except OAuthError as error:
        return oauth.tell(error, request.url.path)


@router.get("/internal/users/contact", dependencies=[internal("notifications")], responses=may(403, 404))
async def contact(user_id: Annotated[UUID, Query(alias="id")], tx: Tx) -> ContactView:
    """Say how to reach a person."""
    return ContactView.model_validate(await use_cases.contact(tx, user_id))


@router.post("/internal/operator-tokens", status_code=201, dependencies=[internal()], responses=may(403))
async def operator_token(form: OperatorTokenForm, means: Here, response: Response) -> OperatorToken:
    """Make an access token for the local operator; no other service may ask."""
    response.headers.update(NO_STORE)
    return OperatorToken(access_token=await use_cases.operator_token(means, form))


@router.post("/internal/operator/signing-keys", status_code=201, dependencies=[internal()], responses=may(403))
async def rotate(form: RotationForm, means: Here) -> Rotated:
    """Make a new signing key for the local operator."""
    made = await rotation.rotate(means, audit.OPERATOR, compromised=form.compromised)
    return Rotated(kid=made, published=[str(key["kid"]) for key in means.signer.published])
