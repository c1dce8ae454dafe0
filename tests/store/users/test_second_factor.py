"""The second factor: once it is on a password alone signs nobody in, and no code works twice."""

import asyncio

import pyotp
import pytest

from tests.store.users.conftest import Home

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stop the clock that codes go by; a test moves it."""
    moment = [NOW]
    monkeypatch.setattr("apps.users.second_factor.time.time", lambda: moment[0])
    return moment


async def set_up(home: Home) -> tuple[str, str, list[str]]:
    """Return an access token, the secret and the recovery codes of somebody with a second factor."""
    await home.register()
    token = (await home.sign_in()).json()["access_token"]
    made = (await home.call("POST", "/users/me/totp", token=token)).json()
    otp = pyotp.TOTP(made["secret"]).at(NOW)
    confirmed = await home.call("POST", "/users/me/totp/confirm", {"otp": otp}, token)
    assert confirmed.status == 200, confirmed.body
    return token, made["secret"], confirmed.json()["recovery_codes"]


async def test_it_asks_for_nothing_until_it_is_confirmed(home: Home) -> None:
    await home.register()
    token = (await home.sign_in()).json()["access_token"]
    made = await home.call("POST", "/users/me/totp", token=token)
    assert made.headers["cache-control"] == "no-store"
    assert (await home.call("POST", "/users/me/totp/confirm", {"otp": "000000"}, token)).status == 403
    assert (await home.sign_in()).status == 201
    assert (await home.call("GET", "/users/me", token=token)).json()["totp_enabled"] is False


async def test_once_on_it_takes_a_code_and_the_refusal_does_not_say_so(home: Home, clock: list[float]) -> None:
    token, secret, _ = await set_up(home)
    clock[0] += 60
    wrong_password = await home.sign_in(password="wrong")
    for refused in (await home.sign_in(), await home.sign_in(otp="000000")):
        assert (refused.status, refused.json()["detail"]) == (401, wrong_password.json()["detail"])
    assert (await home.sign_in(otp=pyotp.TOTP(secret).at(clock[0]))).status == 201
    assert (await home.call("GET", "/users/me", token=token)).json()["totp_enabled"] is True
    assert "totp_enabled" in [data.get("kind") for _, data in await home.published()]


async def test_a_code_works_once_however_many_send_it_at_once(home: Home, clock: list[float]) -> None:
    _, secret, _ = await set_up(home)
    assert (await home.sign_in(otp=pyotp.TOTP(secret).at(NOW))).status == 401  # it confirmed the secret
    clock[0] += 60
    code = pyotp.TOTP(secret).at(clock[0])
    replies = await asyncio.gather(*(home.sign_in(otp=code) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [201, 401, 401, 401, 401]
    assert (await home.sign_in(otp=pyotp.TOTP(secret).at(clock[0] - 30))).status == 401  # an earlier one


async def test_a_recovery_code_stands_in_once_and_its_owner_is_told(home: Home) -> None:
    _, _, codes = await set_up(home)
    replies = await asyncio.gather(*(home.sign_in(otp=codes[3].upper()) for _ in range(3)))
    assert sorted(reply.status for reply in replies) == [201, 401, 401]
    assert (await home.published())[-1][1]["kind"] == "recovery_code_used"
    assert (await home.sign_in(otp=codes[4].replace("-", ""))).status == 201


async def test_a_second_one_is_not_set_up_over_the_first(home: Home) -> None:
    token, _, _ = await set_up(home)
    reply = await home.call("POST", "/users/me/totp", token=token)
    assert (reply.status, reply.json()["type"]) == (409, "/problems/second-factor-on")


async def test_it_is_removed_with_its_recovery_codes(home: Home) -> None:
    token, _, _ = await set_up(home)
    assert (await home.call("DELETE", "/users/me/totp", token=token)).status == 204
    assert (await home.sign_in()).status == 201
    assert await home.rows("SELECT 1 FROM recovery_codes") == []
    assert (await home.published())[-1][1]["kind"] == "totp_disabled"


async def test_a_session_that_began_long_ago_removes_nothing(home: Home) -> None:
    token, _, _ = await set_up(home)
    await home.change("UPDATE sessions SET created_at = created_at - interval '1 hour'")
    for method, path in (("DELETE", "/users/me/totp"), ("DELETE", "/users/me"), ("GET", "/users/me/export")):
        reply = await home.call(method, path, token=token)
        assert (reply.status, reply.json()["type"]) == (403, "/problems/sign-in-too-old")


async def test_a_new_password_does_not_get_around_it(home: Home) -> None:
    await set_up(home)
    await home.call("POST", "/password-resets", {"email": "ada@example.org"})
    body = {"token": await home.mailed("password-reset-requested"), "new_password": "another long password"}
    assert (await home.call("POST", "/password-resets/confirm", body)).status == 204
    assert (await home.sign_in(password="another long password")).status == 401


async def test_neither_secret_nor_codes_are_stored_in_clear(home: Home) -> None:
    _, secret, codes = await set_up(home)
    (factor,) = await home.rows("SELECT sealed_secret FROM second_factors")
    assert secret.encode() not in bytes(factor.sealed_secret)
    stored = {bytes(row.code_hash) for row in await home.rows("SELECT code_hash FROM recovery_codes")}
    assert len(stored) == len(codes)
    assert all(len(each) == 32 for each in stored)


async def test_guessing_codes_gets_slower(home: Home) -> None:
    await set_up(home)
    answers = [(await home.sign_in(otp="000000")).status for _ in range(12)]
    assert answers[0] == 401
    assert answers[-1] == 429
