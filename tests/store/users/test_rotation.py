"""Changing the signing key: nobody who holds a token or verifies one notices, unless the key was compromised."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import jwt
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from apps.chassis import tokens as verifying
from apps.chassis.app import Chassis
from apps.chassis.problems import ProblemError
from apps.chassis.sidecar import SidecarError
from apps.chassis.tokens import Tokens
from apps.users import rotation
from tests.store.users.conftest import ISSUER, Home, open_home


class Other:
    """Another service with a database of its own, which asks users for keys and cannot always reach it."""

    def __init__(self, home: Home, keeper: Home) -> None:
        self.home = home
        self.away = False
        self.tokens = Tokens(ISSUER, keeper.database, self.ask)

    async def ask(self) -> Any:
        if self.away:
            raise SidecarError("users is away")
        return (await self.home.call("GET", "/.well-known/jwks.json")).json()["keys"]

    async def accepts(self, token: str) -> bool:
        try:
            return bool(await self.tokens.principal(f"Bearer {token}"))
        except ProblemError:
            return False


@pytest.fixture
async def other(home: Home, database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(verifying, "_UNKNOWN_KEY_PAUSE_S", 0.0)
    async with open_home(database_for("users"), monkeypatch) as keeper:
        yield Other(home, keeper)


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_a_new_key_is_announced_then_signs_and_both_verify_while_users_is_away(home: Home, other: Other) -> None:
    before = home.operator("customer")
    assert await other.accepts(before)
    reply = await home.call("POST", "/signing-keys", {}, home.operator("admin"))
    assert (reply.status, len(reply.json()["published"])) == (201, 2)
    assert kid(home.operator("customer")) == kid(before)  # announced, and not used yet
    await other.tokens.fetch()
    other.away = True
    await home.change("UPDATE signing_keys SET signs_from = now() WHERE signs_from > now()")
    await rotation.reload(home.means)
    after = home.operator("customer")
    assert kid(after) == reply.json()["kid"] != kid(before)
    assert await other.accepts(before)
    assert await other.accepts(after)


async def test_a_compromised_key_goes_at_once_with_all_it_signed(home: Home, other: Other) -> None:
    before, admin = home.operator("customer"), home.operator("admin")
    assert await other.accepts(before)
    reply = await home.call("POST", "/signing-keys", {"compromised": True}, admin)
    assert reply.json()["published"] == [reply.json()["kid"]]
    assert await other.accepts(home.operator("customer"))  # a key it has not seen is asked for
    assert not await other.accepts(before)


async def test_users_refuses_what_a_compromised_key_signed_from_the_next_tick_on(home: Home) -> None:
    before = home.operator("support")
    assert (await home.call("GET", "/users", token=before)).status == 200
    await rotation.rotate(home.means, "operator", compromised=True)
    await home.call("POST", "/jobs/every-10s")
    assert (await home.call("GET", "/users", token=before)).status == 401
    assert (await home.call("GET", "/users", token=home.operator("support"))).status == 200


async def test_the_clock_rotates_when_it_is_time_and_withdraws_what_nobody_needs(home: Home) -> None:
    first = home.means.signer.kid
    chassis = cast("Chassis", home.app.state.chassis)
    for _ in range(2):
        await home.call("POST", "/jobs/every-10s")
    assert len(await home.rows("SELECT 1 FROM signing_keys")) == 1
    await home.change(
        "UPDATE signing_keys SET created_at = now() - interval '31 days', signs_from = now() - interval '31 days'"
    )
    for _ in range(2):
        await rotation.keep(chassis.extra)
    assert (len(home.means.signer.published), home.means.signer.kid) == (2, first)
    await home.change("UPDATE signing_keys SET signs_from = now() WHERE signs_from > now()")
    await rotation.keep(home.means)
    second = home.means.signer.kid
    assert (len(home.means.signer.published), second != first) == (2, True)
    await home.change(f"UPDATE signing_keys SET signs_from = now() - interval '26 hours' WHERE kid = '{second}'")  # noqa: S608
    await rotation.keep(home.means)
    assert [key["kid"] for key in home.means.signer.published] == [second]
    assert [action for action, _ in await home.trail()] == ["signing_key_rotated"]


async def test_a_replica_publishes_what_another_made(
    database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_for("users")
    async with open_home(url, monkeypatch) as one, open_home(url, monkeypatch) as two:
        made = await rotation.rotate(one.means, "operator", compromised=True)
        published = (await two.call("GET", "/.well-known/jwks.json")).json()["keys"]
        assert [key["kid"] for key in published] == [made]
        assert kid(two.operator("customer")) == made


def test_a_key_is_announced_for_longer_than_verifiers_keep_theirs(home: Home) -> None:
    assert home.means.settings.keys_announced_for > timedelta(seconds=verifying._REFRESH_S)
    assert home.means.settings.keys_kept_for > timedelta(days=1)  # an operator's longest token


async def test_a_stock_library_verifies_our_tokens_by_what_discovery_leads_to(home: Home) -> None:
    await home.register()
    token = (await home.sign_in()).json()["access_token"]
    described = (await home.call("GET", "/.well-known/openid-configuration")).json()
    assert described["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    keys = jwt.PyJWKSet.from_dict((await home.call("GET", "/.well-known/jwks.json")).json())
    claims = jwt.decode(
        token, keys[kid(token)], described["id_token_signing_alg_values_supported"],
        audience="sidecart", issuer=described["issuer"], options={"require": ["exp", "iat", "sub", "jti"]},
    )  # fmt: skip
    assert claims["scope"] == "profile orders payments notifications"
    public = json.loads(json.dumps(described).replace(ISSUER, "https://shop.example"))
    metadata: Any = AuthorizationServerMetadata(public)
    metadata.validate()
