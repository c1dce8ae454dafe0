import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import text

from apps.chassis.auth import Principal
from apps.chassis.database import Database
from apps.chassis.problems import ProblemError
from apps.chassis.sidecar import Sidecar, SidecarError
from apps.chassis.telemetry import log

AUDIENCE = "sidecart"
_REFRESH_S = 300.0
_UNKNOWN_KEY_PAUSE_S = 5.0
_CACHED_TOKENS = 10_000
_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}

_LOAD = text("SELECT jwk FROM verification_keys")
_SAVE = text(
    "INSERT INTO verification_keys (kid, jwk) SELECT * FROM unnest(CAST(:kids AS text[]), CAST(:jwks AS jsonb[])) "
    "ON CONFLICT (kid) DO UPDATE SET jwk = excluded.jwk, fetched_at = now()"
)
_FORGET = text("DELETE FROM verification_keys WHERE kid <> ALL(CAST(:kids AS text[]))")

Jwk = dict[str, Any]
KeySource = Callable[[], Awaitable[Sequence[Jwk]]]


class Tokens:
    """Verifies access tokens against keys kept in the service's own database, so that users may be away."""

    def __init__(self, issuer: str, database: Database, source: KeySource) -> None:
        self._claims = _claims(issuer)
        self._database = database
        self.source = source
        self._keys = KeySet([])
        self._asked_at = float("-inf")
        self._verified: dict[str, tuple[float, Principal]] = {}
        self._fetching = asyncio.Lock()

    @property
    def knows_a_key(self) -> bool:
        """Tell whether any caller can be verified yet."""
        return bool(self._keys.keys)

    async def principal(self, authorization: str | None) -> Principal:
        """Return who the bearer token speaks for; 401 where it does not verify, 503 where no key was ever seen."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ProblemError(401, "token-required", "Send an access token.", {"WWW-Authenticate": "Bearer"})
        known = self._verified.get(token)
        if known and known[0] > time.time():
            return known[1]
        expires, principal = await self._verify(token)
        if len(self._verified) >= _CACHED_TOKENS:
            self._verified.clear()
        self._verified[token] = (expires, principal)
        return principal

    async def keep_fresh(self) -> None:
        """Load the keys kept here, then fetch the current ones now and again until cancelled."""
        while True:
            try:
                if not self._keys.keys:
                    await self._load()
                await self.fetch()
            except Exception as error:  # noqa: BLE001  # the keys we have go on working
                log.info("keys_not_refreshed", error=type(error).__name__)
            await asyncio.sleep(_REFRESH_S if self._keys.keys else 1.0)

    async def fetch(self) -> None:
        """Ask for the current keys, keep them, and forget those that were withdrawn."""
        self._asked_at = time.monotonic()
        found = list(await self.source())
        if not found:
            raise SidecarError("users published no key")
        await self.take(found)

    async def take(self, found: Sequence[Jwk]) -> None:
        """Verify by these keys from now on and by no others, and keep them; nothing to do where they are those held."""
        if {key.kid for key in self._keys.keys} == {key["kid"] for key in found}:
            return
        kids = [str(key["kid"]) for key in found]
        async with self._database.transaction() as tx:
            await tx.execute(_SAVE, {"kids": kids, "jwks": [orjson.dumps(key).decode() for key in found]})
            await tx.execute(_FORGET, {"kids": kids})
        self._use(found)

    async def _load(self) -> None:
        async with self._database.transaction() as tx:
            self._use(list(await tx.scalars(_LOAD)))

    def _use(self, keys: Sequence[Jwk]) -> None:
        # only EC keys are ever imported: a token cannot choose another family of algorithms
        known = {key.kid for key in self._keys.keys}
        self._keys = KeySet([ECKey.import_key(key) for key in keys])
        if known - {key.kid for key in self._keys.keys}:  # what a withdrawn key signed is good no more
            self._verified.clear()

    async def _verify(self, token: str) -> tuple[float, Principal]:
        if not self._keys.keys:
            await self._fetch_once()
        try:
            claims = self._decode(token)
        except InvalidKeyIdError:  # perhaps it is new
            await self._fetch_once()
            claims = self._decode_or_refuse(token)
        return float(claims["exp"]), _principal(claims)

    def _decode(self, token: str) -> dict[str, Any]:
        """Verify signature and claims; InvalidKeyIdError means that the key is not among ours."""
        try:
            decoded = jwt.decode(token, self._keys, algorithms=["ES256"])
            if decoded.header.get("typ") != "at+jwt":
                raise _refusal()
            self._claims.validate(decoded.claims)
        except InvalidKeyIdError:
            raise
        except (JoseError, ValueError, TypeError) as error:  # a few malformed tokens escape the library's own kind
            raise _refusal() from error
        return decoded.claims

    def _decode_or_refuse(self, token: str) -> dict[str, Any]:
        try:
            return self._decode(token)
        except InvalidKeyIdError as error:
            raise _refusal() from error

    async def _fetch_once(self) -> None:
        """Fetch, at most once every few seconds: forged key ids must not become a load on users."""
        async with self._fetching:
            if time.monotonic() - self._asked_at >= _UNKNOWN_KEY_PAUSE_S:
                try:
                    await self.fetch()
                except SidecarError as error:
                    log.info("keys_not_fetched", error=str(error))
            if not self._keys.keys:
                detail = "No verification key is known yet; try again shortly."
                raise ProblemError(503, "keys-unavailable", detail, {"Retry-After": "2"})


def from_users(sidecar: Sidecar) -> KeySource:
    """Return a source that asks users, by app-id, for its published keys."""

    async def ask() -> Sequence[Jwk]:
        answer = await sidecar.invoke("users", "GET", "/.well-known/jwks.json")
        if answer.status != 200:  # noqa: PLR2004
            raise SidecarError(f"users answered {answer.status} when asked for its keys")
        keys: Sequence[Jwk] = answer.json()["keys"]
        return keys

    return ask


def _claims(issuer: str) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        sub={"essential": True},
    )


def _principal(claims: dict[str, Any]) -> Principal:
    try:
        return Principal(
            id=UUID(claims["sub"]),
            roles=frozenset(claims.get("roles", ())),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            email_verified=bool(claims.get("email_verified")),
            session_id=UUID(claims["sid"]) if "sid" in claims else None,
            client="client_id" in claims,
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise _refusal() from error


def _refusal() -> ProblemError:
    return ProblemError(401, "token-not-valid", "The access token is not valid or has expired.", _CHALLENGE)
