"""RFC 6749, section 4.4: what a token request looks like and how its errors read; nothing else of OAuth is here."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote_plus
from uuid import UUID

import orjson
from fastapi import Response
from pydantic import BaseModel

CLIENT_CREDENTIALS: Final = "client_credentials"
_FORM = "application/x-www-form-urlencoded"
_STATUS: Final = {"invalid_client": 401}
_FIELDS = ("grant_type", "client_id", "client_secret", "scope")
FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": [CLIENT_CREDENTIALS]},
        "scope": {"type": "string"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
    },
}
REQUEST_BODY: Final = {"requestBody": {"required": True, "content": {_FORM: {"schema": FORM_SCHEMA}}}}


class OAuthError(Exception):
    """A refusal as RFC 6749 names it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class Granted(BaseModel):
    """An access token for a machine client."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name
    expires_in: int
    scope: str


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Who asks for a token, with what proof, for which scopes."""

    client_id: UUID
    secret: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        """Show whose it is, and no secret."""
        return f"TokenRequest({self.client_id})"


def read(body: bytes, content_type: str, authorization: str | None) -> TokenRequest:
    """Read a token request, the client's proof from its header or its body; raise OAuthError."""
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise OAuthError("invalid_request", f"Send the parameters as {_FORM}.")
    fields = _fields(body)
    grant = fields.get("grant_type")
    if not grant:
        raise OAuthError("invalid_request", "The parameter grant_type is missing.")
    if grant != CLIENT_CREDENTIALS:
        raise OAuthError("unsupported_grant_type", f"Only {CLIENT_CREDENTIALS} is granted here.")
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        if "client_secret" in fields:
            raise OAuthError("invalid_request", "Prove who you are in one way, not in two.")
        name, secret = _basic(encoded)
    else:
        name, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    try:
        return TokenRequest(UUID(name), secret, tuple(dict.fromkeys(fields.get("scope", "").split())))
    except ValueError:
        raise OAuthError("invalid_client", "The client or its secret is not known here.") from None


def tell(error: OAuthError, path: str) -> Response:
    """Return the refusal: what OAuth clients read, within a problem as everybody else here reads it."""
    status = _STATUS.get(error.error, 400)
    body = {
        "type": f"/problems/{error.error.replace('_', '-')}",
        "title": "Not signed in" if status == 401 else "Bad request",  # noqa: PLR2004
        "status": status,
        "detail": str(error),
        "instance": path,
        "error": error.error,
        "error_description": str(error),
    }
    challenge = {"WWW-Authenticate": 'Basic realm="sidecart"'} if error.error == "invalid_client" else {}
    headers = {"Cache-Control": "no-store", **challenge}
    return Response(orjson.dumps(body), status, headers, "application/problem+json")


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise OAuthError("invalid_request", "The body is no form.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise OAuthError("invalid_request", "A parameter stands there twice.")
    return {name: fields[name] for name in _FIELDS if fields.get(name)}


def _basic(encoded: str) -> tuple[str, str]:
    """Read name and secret, which RFC 6749 has form-encoded before they are put together."""
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise OAuthError("invalid_client", "The Authorization header is no Basic credentials.") from None
    return unquote_plus(name), unquote_plus(secret)
