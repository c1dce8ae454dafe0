"""The keys that sign access tokens: made for all replicas, their private parts sealed, published before they sign."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
ALGORITHM: Final = "ES256"
_HEADER: Final = {"alg": ALGORITHM, "typ": "at+jwt"}


@dataclass(frozen=True, slots=True)
class _Key:
    private: ECKey
    header: dict[str, str]
    signs_from: datetime


class Signer:
    """Makes access tokens with the newest key whose time has come, and publishes what verifies them."""

    def __init__(self, issuer: str, sealer: Codec) -> None:
        self.issuer = issuer
        self.published: Sequence[Jwk] = []
        self._sealer = sealer
        self._keys: list[_Key] = []

    def use(self, kept: Sequence[SigningKey]) -> None:
        """Sign with these from now on, newest first; what is held already is not opened again."""
        held = {key.header["kid"]: key.private for key in self._keys}
        self._keys = [
            _Key(held.get(key.kid) or self._open(key), {**_HEADER, "kid": key.kid}, key.signs_from) for key in kept
        ]
        self.published = [key.public_jwk for key in kept]

    @property
    def kid(self) -> str:
        """The id of the key that signs at this moment."""
        return self._current().header["kid"]

    def issue(
        self,
        subject: UUID,
        roles: Iterable[str],
        ttl: timedelta,
        *,
        email_verified: bool,
        session_id: UUID | None = None,
        client_scope: str | None = None,
    ) -> str:
        """Return an access token that is good for *ttl* from now; *client_scope* makes it a machine client's."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": str(subject),
            "aud": AUDIENCE,
            "exp": now + int(ttl.total_seconds()),
            "iat": now,
            "jti": str(uuid7()),
            "roles": sorted(roles),
            "scope": domain.scope_of(roles) if client_scope is None else client_scope,
            "email_verified": email_verified,
        }
        if session_id:
            claims["sid"] = str(session_id)
        if client_scope is not None:
            claims["client_id"] = str(subject)
        key = self._current()
        return jwt.encode(key.header, claims, key.private, algorithms=[ALGORITHM])

    def _current(self) -> _Key:
        now = datetime.now(UTC)
        # the first key of a new system signs at once, also where the database's clock is ahead of ours
        return next((key for key in self._keys if key.signs_from <= now), self._keys[-1])

    def _open(self, key: SigningKey) -> ECKey:
        try:
            private = self._sealer.open(key.sealed_private_jwk, _context(key.kid))
        except ValueError as error:
            raise MisconfiguredError(
                f"secret {SECRET} does not open signing key {key.kid} in the database, which another sealed; "
                "put the earlier value back in secrets"
            ) from error
        return ECKey.import_key(orjson.loads(private))


async def open_signer(tx: AsyncSession, sealer: Codec, issuer: str) -> Signer:
    """Return a signer with the keys there are, making the first one; a replica that starts meanwhile waits."""
    await store.lock_signing_keys(tx)
    if not await store.list_signing_keys(tx):
        await make(tx, sealer, datetime.now(UTC))
    signer = Signer(issuer, sealer)
    signer.use(await store.list_signing_keys(tx))
    return signer


async def make(tx: AsyncSession, sealer: Codec, signs_from: datetime) -> SigningKey:
    """Make a key that is published from now on."""
    key = ECKey.generate_key(_CURVE)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
    private = orjson.dumps(key.as_dict(private=True))
    sealed = sealer.seal(private, _context(kid))
    made = SigningKey(kid=kid, public_jwk=public, sealed_private_jwk=sealed, signs_from=signs_from)
    await store.add(tx, made)
    return made


def _context(kid: str) -> str:
    return f"signing_keys:{kid}"
