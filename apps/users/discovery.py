from typing import Any

from apps.users import domain
from apps.users.keys import ALGORITHM
from apps.users.oauth import CLIENT_CREDENTIALS

_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "roles", "scope", "email_verified")


def describe(issuer: str) -> dict[str, Any]:
    """Describe the issuer as OpenID Connect Discovery and RFC 8414 do, as far as they apply here."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "token_endpoint": f"{issuer}/oauth2/token",
        "grant_types_supported": [CLIENT_CREDENTIALS],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        # nobody is sent here to sign in; the list may not be empty
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": list(domain.EVERY_SCOPE),
        "claims_supported": list(_CLAIMS),
    }
