import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.jwk import KeySet

from apps.users.passwords import Passwords
from apps.users.refresh_tokens import RefreshToken
from apps.users.throttling import PAIR
from tests.store.users.conftest import ISSUER, PASSWORD, Home


async def test_a_session_brings_tokens_with_the_claims_promised(home: Home) -> None:
    await home.register()
    reply = await home.sign_in("Ada@example.org")
    body = reply.json()
    assert reply.status == 201
    assert reply.headers["cache-control"] == "no-store"
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "session_id", "device_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    keys = (await home.call("GET", "/.well-known/jwks.json")).json()
    token = jwt.decode(body["access_token"], KeySet.import_key_set(keys), algorithms=["ES256"])
    assert (token.header["typ"], token.header["kid"]) == ("at+jwt", keys["keys"][0]["kid"])
    claims = token.claims
    (user,) = await home.rows("SELECT id FROM users")
    assert claims.pop("exp") - claims.pop("iat") == 600
    assert UUID(claims.pop("jti"))
    assert claims == {
        "iss": ISSUER, "sub": str(user.id), "aud": "sidecart", "sid": body["session_id"], "roles": ["customer"],
        "scope": "profile orders payments notifications", "email_verified": False,
    }  # fmt: skip


async def test_all_causes_of_a_refusal_read_the_same_and_cost_a_verification(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.register()
    verified: list[str] = []
    passwords = home.means.passwords
    real = passwords._matches

    def counted(encoded: str, given: str) -> bool:
        verified.append(given)
        return real(encoded, given)

    monkeypatch.setattr(passwords, "_matches", counted)
    wrong, unknown = await home.sign_in(password="wrong"), await home.sign_in("eve@example.org", "wrong")
    assert wrong.status == unknown.status == 401
    same = [{k: v for k, v in reply.json().items() if k != "trace_id"} for reply in (wrong, unknown)]
    assert same[0] == same[1]
    assert wrong.headers.keys() == unknown.headers.keys()
    assert verified == ["wrong", "wrong"]
    assert await home.rows("SELECT 1 FROM sessions") == []


async def test_a_hash_with_old_parameters_is_renewed_at_sign_in(home: Home) -> None:
    await home.register()
    object.__setattr__(
        home.means, "passwords", Passwords(1, PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    )
    assert (await home.sign_in()).status == 201
    (user,) = await home.rows("SELECT password_hash FROM users")
    assert "m=16,t=2,p=1" in user.password_hash
    assert (await home.sign_in()).status == 201


async def test_a_password_changed_meanwhile_signs_nobody_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    await home.register()

    async def verify_while_it_changes(_encoded: str | None, _password: str) -> bool:
        await home.change("UPDATE users SET password_hash = 'another'")
        return True

    monkeypatch.setattr(Passwords, "verify", lambda _self, *given: verify_while_it_changes(*given))
    monkeypatch.setattr(Passwords, "outdated", lambda _self, _encoded: False)
    assert (await home.sign_in()).status == 401
    assert await home.rows("SELECT 1 FROM sessions") == []


async def test_too_many_at_once_are_asked_to_come_again(home: Home) -> None:
    home.means.passwords._room = 0
    for reply in (await home.sign_in(), await home.register()):
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    home.means.passwords._room = 1
    assert (await home.register()).status == 202


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(home: Home) -> None:
    await home.register()
    first = (await home.sign_in()).json()
    second = await home.refresh(first["refresh_token"])
    assert (second.status, second.json()["session_id"]) == (200, first["session_id"])
    third = (await home.refresh(second.json()["refresh_token"])).json()
    reused = await home.refresh(first["refresh_token"])
    newest = await home.refresh(third["refresh_token"])
    assert (reused.status, newest.status) == (401, 401)
    assert reused.json()["detail"] == newest.json()["detail"]
    topic, alert = (await home.published())[-1]
    assert (topic, alert["kind"], alert["sequence"]) == ("security-alert", "refresh_token_reused", 3)


async def test_the_reuse_of_one_session_leaves_the_others_alone(home: Home) -> None:
    await home.register()
    home.set(refresh_grace=timedelta())
    stolen, other = (await home.sign_in()).json(), (await home.sign_in()).json()
    assert (await home.refresh(stolen["refresh_token"])).status == 200
    assert (await home.refresh(stolen["refresh_token"])).status == 401
    assert (await home.refresh(other["refresh_token"])).status == 200


async def test_a_made_up_token_does_not_end_the_session_it_names(home: Home) -> None:
    await home.register()
    good = (await home.sign_in()).json()["refresh_token"]
    newer = (await home.refresh(good)).json()["refresh_token"]
    made_up = RefreshToken.first(RefreshToken.load(good).session_id)
    assert (await home.refresh(made_up.dump())).status == 401
    assert (await home.refresh(newer)).status == 200


async def test_a_token_of_a_generation_yet_to_come_is_refused_and_ends_nothing(home: Home) -> None:
    await home.register()
    good = RefreshToken.load((await home.sign_in()).json()["refresh_token"])
    assert (await home.refresh(good.next(bytes(32)).dump())).status == 401
    assert (await home.refresh(good.dump())).status == 200


async def test_a_session_that_was_not_refreshed_in_time_is_over_and_tidied_away(home: Home) -> None:
    await home.register()
    token = (await home.sign_in()).json()["refresh_token"]
    await home.change("UPDATE sessions SET expires_at = now()")
    assert (await home.refresh(token)).status == 401
    await home.sign_in()
    assert len(await home.rows("SELECT 1 FROM sessions")) == 1


async def test_a_refresh_prolongs_the_session_and_reads_the_account_anew(home: Home) -> None:
    await home.register()
    token = (await home.sign_in()).json()["refresh_token"]
    await home.change("UPDATE sessions SET expires_at = now() + interval '1 minute'")
    await home.change("UPDATE users SET roles = '{customer,staff}', email_verified = true")
    access = (await home.refresh(token)).json()["access_token"]
    principal = await home.app.state.chassis.tokens.principal(f"Bearer {access}")
    assert (principal.roles, principal.email_verified) == ({"customer", "staff"}, True)
    (session,) = await home.rows("SELECT expires_at - now() AS left FROM sessions")
    assert session.left > home.means.settings.session_ttl - timedelta(minutes=1)


async def test_signing_out_ends_this_session_only(home: Home) -> None:
    await home.register()
    mine, other = (await home.sign_in()).json(), (await home.sign_in()).json()
    assert (await home.call("DELETE", "/sessions/current", token=mine["access_token"])).status == 204
    assert (await home.call("DELETE", "/sessions/current", token=mine["access_token"])).status == 204
    assert (await home.refresh(mine["refresh_token"])).status == 401
    assert (await home.refresh(other["refresh_token"])).status == 200
    assert [topic for topic, _ in await home.published()].count("security-alert") == 0


async def test_only_hashes_of_refresh_tokens_are_stored(home: Home) -> None:
    await home.register()
    token = RefreshToken.load((await home.sign_in()).json()["refresh_token"])
    (row,) = await home.rows("SELECT * FROM sessions")
    stored = b"".join(bytes(value) for value in row if isinstance(value, bytes))
    assert len(stored) == 64  # of family and secret
    assert token.secret not in stored
    assert token.family not in stored


@pytest.mark.parametrize("body", [{}, {"email": "ada@example.org"}, {"email": "a\x00@b.de", "password": PASSWORD}])
async def test_incomplete_credentials_are_invalid_content(home: Home, body: dict[str, str]) -> None:
    assert (await home.call("POST", "/sessions", body)).status == 422


async def test_nobody_ends_another_persons_session(home: Home) -> None:
    await home.register()
    await home.register("eve@example.org")
    mine, eve = (await home.sign_in()).json(), (await home.sign_in("eve@example.org")).json()
    ended = await home.call("DELETE", f"/sessions/{mine['session_id']}", token=eve["access_token"])
    assert ended.status == 204
    assert (await home.refresh(mine["refresh_token"])).status == 200


async def test_one_person_signs_in_on_many_devices_at_once(home: Home) -> None:
    await home.register()
    # all from one address: each try counts under the same two keys, and takes back what it counted
    for _ in range(3):
        replies = await asyncio.gather(*(home.sign_in() for _ in range(PAIR.free - 2)))
        assert {reply.status for reply in replies} == {201}
    assert await home.rows("SELECT 1 FROM throttles WHERE failures > 0") == []


async def test_signing_in_again_ends_the_session_before(home: Home) -> None:
    await home.register()
    await home.register("eve@example.org")
    eves = (await home.sign_in("eve@example.org")).json()
    first = (await home.sign_in()).json()
    other = (await home.sign_in()).json()
    again = (await home.sign_in(refresh_token=first["refresh_token"])).json()
    assert (await home.refresh(first["refresh_token"])).status == 401
    assert [(await home.refresh(each["refresh_token"])).status for each in (other, again)] == [200, 200]
    (newest, *_) = await home.rows("SELECT detail FROM audit_events WHERE action = 'signed_in' ORDER BY id DESC")
    assert newest.detail == {"session": again["session_id"], "replaced": first["session_id"]}
    # another's session, a made-up token of a known session, and what is no token at all end nothing
    forged = RefreshToken.first(UUID(other["session_id"])).dump()
    for token in (eves["refresh_token"], forged, "x"):
        assert (await home.sign_in(refresh_token=token)).status == 201
    assert (await home.refresh(eves["refresh_token"])).status == 200
    assert len(await home.rows("SELECT 1 FROM sessions")) == 6
    # nor does a try that was refused
    assert (await home.sign_in(password="wrong", refresh_token=again["refresh_token"])).status == 401
    assert len(await home.rows("SELECT 1 FROM sessions")) == 6
