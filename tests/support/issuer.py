"""Sign what only users could sign, with the key of a test's own system: for tokens that are true but for one claim."""

import json
from typing import Any

import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey

from apps.users.sealing import SECRET, Sealer
from tests.support.forged import Json, parts
from tests.support.system import System

NEWEST = "SELECT kid, sealed_private_jwk FROM signing_keys ORDER BY created_at DESC LIMIT 1"


class Issuer:
    """Holds the signing key of a system that runs."""

    def __init__(self, system: System) -> None:
        with psycopg.connect(system.secret("users-database-url")) as connection:
            found = connection.execute(NEWEST).fetchone()
        assert found
        kid, sealed = found
        private = Sealer.from_secret(system.secret(SECRET)).open(bytes(sealed), f"signing_keys:{kid}")
        self._key = ECKey.import_key(json.loads(private))

    def changed(self, token: str, *, header: Json | None = None, without: str = "", **claims: Any) -> str:
        """Return *token* with other claims or one less, under a signature that verifies."""
        old_header, old_claims, _ = parts(token)
        said = {name: value for name, value in (old_claims | claims).items() if name != without}
        return jwt.encode(old_header | (header or {}), said, self._key, algorithms=["ES256"])
