import asyncio
import time
from datetime import UTC, datetime

import pytest

from apps.chassis.settings import MisconfiguredError
from apps.users import keys
from apps.users.keys import Signer, open_signer
from apps.users.sealing import Sealer
from tests.store.users.conftest import ISSUER, KEK, Home


async def opened(home: Home, kek: bytes = KEK) -> Signer:
    async with home.database.transaction() as tx:
        return await open_signer(tx, Sealer(kek), ISSUER)


async def until_somebody_waits(home: Home, waiting: asyncio.Future[Signer]) -> None:
    deadline = time.monotonic() + 60
    query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not waiting.done() and not await home.rows(query):
        assert time.monotonic() < deadline, "nobody waits for the lock"


async def test_a_replica_that_starts_meanwhile_waits_and_takes_the_key_of_the_first(home: Home) -> None:
    await home.change("DELETE FROM signing_keys")
    async with home.database.transaction() as tx:
        first = await open_signer(tx, Sealer(KEK), ISSUER)
        waiting = asyncio.ensure_future(opened(home))
        await until_somebody_waits(home, waiting)
    assert (await waiting).published == first.published
    assert len(await home.rows("SELECT 1 FROM signing_keys")) == 1


async def test_the_same_key_signs_after_a_restart(home: Home) -> None:
    assert (await opened(home)).published == home.means.signer.published


async def test_the_newest_key_signs_and_the_earlier_ones_are_still_published(home: Home) -> None:
    (earlier,) = home.means.signer.published
    async with home.database.transaction() as tx:
        newer = await keys.make(tx, Sealer(KEK), datetime.now(UTC))
    signer = await opened(home)
    assert [key["kid"] for key in signer.published] == [newer.kid, earlier["kid"]]
    assert signer.kid == newer.kid


async def test_another_secret_ends_the_start_and_is_named(home: Home) -> None:
    with pytest.raises(MisconfiguredError, match="secret users-signing-kek does not open signing key"):
        await opened(home, bytes(32))
    assert len(await home.rows("SELECT 1 FROM signing_keys")) == 1


async def test_what_is_published_is_public_and_may_be_cached(home: Home) -> None:
    reply = await home.call("GET", "/.well-known/jwks.json")
    (key,) = reply.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["crv"], key["use"], key["alg"]) == ("P-256", "sig", "ES256")
    assert reply.headers["cache-control"] == "public, max-age=300"


async def test_the_private_part_is_stored_sealed(home: Home) -> None:
    (row,) = await home.rows("SELECT kid, sealed_private_jwk FROM signing_keys")
    sealed = bytes(row.sealed_private_jwk)
    assert b'"d"' in Sealer(KEK).open(sealed, f"signing_keys:{row.kid}")
    assert b"P-256" not in sealed


async def test_discovery_leads_to_the_keys(home: Home) -> None:
    reply = await home.call("GET", "/.well-known/openid-configuration")
    assert reply.json()["issuer"] == ISSUER
    assert reply.json()["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert reply.headers["cache-control"] == "public, max-age=300"
