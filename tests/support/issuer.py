"""Sign what only users could sign, with the key of a test's own system: for tokens that are true but for one claim."""

import json
from typing import Any

import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey

from apps.users.sealing import SECRET, Sealer
from tests.support.forged import Json, parts
from tests.support.system import System

KEYS = "SELECT kid, sealed_private_jwk FROM signing_keys"


class Issuer:
    """Holds the signing keys of a system that runs: the newest may be one that signs nothing yet."""

    def __init__(self, system: System) -> None:
        sealer = Sealer.from_secret(system.secret(SECRET))
        with psycopg.connect(system.secret("users-database-url")) as connection:
            kept = connection.execute(KEYS).fetchall()
        opened = {kid: json.loads(sealer.open(bytes(sealed), f"signing_keys:{kid}")) for kid, sealed in kept}
        self._keys = {kid: ECKey.import_key(key) for kid, key in opened.items()}

    def changed(self, token: str, *, header: Json | None = None, without: str = "", **claims: Any) -> str:
        """Return *token* with other claims or one less, under a signature that verifies."""
        old_header, old_claims, _ = parts(token)
        said = {name: value for name, value in (old_claims | claims).items() if name != without}
        return jwt.encode(old_header | (header or {}), said, self._keys[old_header["kid"]], algorithms=["ES256"])
