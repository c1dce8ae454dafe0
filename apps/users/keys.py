"""The keys that sign access tokens: made once for all replicas, their private parts sealed, the newest signs."""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.codec import Codec
from apps.chassis.settings import MisconfiguredError
from apps.chassis.tokens import AUDIENCE, Jwk
from apps.users import domain, store
from apps.users.sealing import SECRET
from apps.users.tables import SigningKey

_CURVE: Final = "P-256"
_ALGORITHM: Final = "ES256"


class Signer:
    """Makes access tokens, and publishes what verifies them."""

    def __init__(self, issuer: str, key: ECKey, published: Sequence[Jwk]) -> None:
        self.issuer = issuer
        self.published = published
        self._key = key
        self._header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": key.thumbprint()}

    def issue(
        self,
        subject: UUID,
        roles: Iterable[str],
        ttl: timedelta,
        *,
        email_verified: bool,
        session_id: UUID | None = None,
    ) -> str:
        """Return an access token that is good for *ttl* from now."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": str(subject),
            "aud": AUDIENCE,
            "exp": now + int(ttl.total_seconds()),
            "iat": now,
            "jti": str(uuid7()),
            "roles": sorted(roles),
            "scope": domain.scope_of(roles),
            "email_verified": email_verified,
        }
        if session_id:
            claims["sid"] = str(session_id)
        return jwt.encode(self._header, claims, self._key, algorithms=[_ALGORITHM])

    def discovery(self) -> dict[str, Any]:
        """Describe the issuer as OpenID Connect Discovery does, as far as it applies here."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
            "scopes_supported": [scope for scopes in domain.SCOPES.values() for scope in scopes],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "roles", "scope", "email_verified"],
        }

    async def key_source(self) -> Sequence[Jwk]:
        """Return the published keys, as the chassis asks for them."""
        return self.published


async def open_signer(tx: AsyncSession, sealer: Codec, issuer: str) -> Signer:
    """Return a signer with the newest key, making the first one; a replica that starts meanwhile waits."""
    await store.lock_signing_keys(tx)
    kept = await store.list_signing_keys(tx)
    if not kept:
        kept = [await _make(tx, sealer)]
    newest = kept[0]
    try:
        private = sealer.open(newest.sealed_private_jwk, _context(newest.kid))
    except ValueError as error:
        raise MisconfiguredError(
            f"secret {SECRET} does not open signing key {newest.kid} in the database, which another sealed; "
            "put the earlier value back in secrets"
        ) from error
    return Signer(issuer, ECKey.import_key(orjson.loads(private)), [key.public_jwk for key in kept])


async def _make(tx: AsyncSession, sealer: Codec) -> SigningKey:
    key = ECKey.generate_key(_CURVE)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": _ALGORITHM}
    private = orjson.dumps(key.as_dict(private=True))
    made = SigningKey(kid=kid, public_jwk=public, sealed_private_jwk=sealer.seal(private, _context(kid)))
    await store.add(tx, made)
    return made


def _context(kid: str) -> str:
    return f"signing_keys:{kid}"
