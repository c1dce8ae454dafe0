"""Passwords: which are taken, how one is changed, and how one that is forgotten is replaced."""

import asyncio

import pytest

from apps.users.throttling import MAIL
from tests.store.users.conftest import PASSWORD, Home, Tally

NEW = "another long password"


async def change(home: Home, token: str, current: str = PASSWORD, new: str = NEW) -> int:
    body = {"current_password": current, "new_password": new}
    return (await home.call("POST", "/users/me/password", body, token)).status


@pytest.mark.parametrize("common", ["password1", "PASSWORD1", "iloveyou", "qwertyuiop", "trustno1"])
async def test_what_is_guessed_first_is_no_password(home: Home, common: str) -> None:
    reply = await home.register(password=common)
    assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "#/password")
    assert "guessed first" in reply.json()["errors"][0]["detail"]
    assert common.encode() not in reply.body


OWN = ["Sidecart2026!", "ada@example.org", "1-Lovelace-1", "ADALOVELACE", "example.org!!"]


@pytest.mark.parametrize("own", OWN)
async def test_words_of_the_shop_and_of_ones_own_are_no_password_with_little_around_them(home: Home, own: str) -> None:
    refused = await home.register(password=own, name="Ada Lovelace")
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "#/password")
    await home.register(name="Ada Lovelace")
    token = (await home.sign_in()).json()["access_token"]
    assert await change(home, token, new=own) == 422
    await home.call("POST", "/password-resets", {"email": "ada@example.org"})
    link = await home.mailed("password-reset-requested")
    assert [await reset(home, link, own), await reset(home, link)] == [422, 204]


@pytest.mark.parametrize("unusual", ["  spaces  at both ends  ", "ünïcödé-⛵-🦀", "x" * 120 + "12345678"])
async def test_any_letters_make_a_password_and_it_is_good_as_it_was_sent(home: Home, unusual: str) -> None:
    assert (await home.register(password=unusual)).status == 202
    assert (await home.sign_in(password=unusual)).status == 201
    assert (await home.sign_in(password=unusual[1:])).status == 401


async def test_a_changed_password_ends_the_other_sessions_and_its_owner_is_told(home: Home) -> None:
    await home.register()
    here, there = (await home.sign_in()).json(), (await home.sign_in()).json()
    assert await change(home, here["access_token"]) == 204
    assert (await home.refresh(there["refresh_token"])).status == 401
    assert (await home.refresh(here["refresh_token"])).status == 200
    assert (await home.sign_in()).status == 401
    assert (await home.sign_in(password=NEW)).status == 201
    assert (await home.published())[-1][1]["kind"] == "password_changed"
    assert ("password_changed", "done") in await home.trail()


async def test_a_token_of_an_ended_session_changes_nothing_although_it_has_not_expired(home: Home) -> None:
    await home.register()
    here, there = (await home.sign_in()).json(), (await home.sign_in()).json()
    assert await change(home, here["access_token"]) == 204
    assert await change(home, there["access_token"], NEW, "a third long password") == 401
    reply = await home.call("GET", "/users/me", token=there["access_token"])
    assert (reply.status, reply.json()["type"]) == (401, "/problems/session-ended")


async def test_a_stolen_token_does_not_guess_the_password_at_leisure(home: Home) -> None:
    await home.register()
    stolen, mine = (await home.sign_in()).json()["access_token"], (await home.sign_in()).json()["access_token"]
    answers = [await change(home, stolen, "wrong") for _ in range(13)]
    assert answers[:10] == [403] * 10
    assert answers[-1] == 429
    assert await change(home, mine) == 204


async def reset(home: Home, token: str, password: str = NEW) -> int:
    return (await home.call("POST", "/password-resets/confirm", {"token": token, "new_password": password})).status


async def test_a_forgotten_password_is_replaced_by_who_reads_the_mail_and_every_session_ends(home: Home) -> None:
    await home.register()
    session = (await home.sign_in()).json()
    asked = await home.call("POST", "/password-resets", {"email": "ADA@example.org"})
    unknown = await home.call("POST", "/password-resets", {"email": "nobody@example.org"})
    assert (asked.status, asked.body, asked.headers) == (202, unknown.body, unknown.headers)
    token = await home.mailed("password-reset-requested")
    assert sorted(await asyncio.gather(*(reset(home, token) for _ in range(5)))) == [204, 410, 410, 410, 410]
    assert (await home.refresh(session["refresh_token"])).status == 401
    assert (await home.sign_in()).status == 401
    me = await home.call("GET", "/users/me", token=(await home.sign_in(password=NEW)).json()["access_token"])
    assert me.json()["email_verified"] is True  # whoever read that mail reads mail there
    assert (await home.published())[-1][1]["kind"] == "password_reset"


async def test_a_second_mail_makes_the_first_worthless(home: Home) -> None:
    await home.register()
    await home.call("POST", "/password-resets", {"email": "ada@example.org"})
    first = await home.mailed("password-reset-requested")
    await home.call("POST", "/password-resets", {"email": "ada@example.org"})
    assert await reset(home, first) == 410
    assert await reset(home, await home.mailed("password-reset-requested")) == 204


@pytest.mark.parametrize(
    "spoil", ["UPDATE one_time_tokens SET expires_at = now()", "UPDATE users SET email = 'b@c.de'"]
)
async def test_a_link_that_came_too_late_or_to_another_address_replaces_nothing(home: Home, spoil: str) -> None:
    await home.register()
    await home.call("POST", "/password-resets", {"email": "ada@example.org"})
    await home.change(spoil)
    assert await reset(home, await home.mailed("password-reset-requested")) == 410


async def test_a_verification_link_resets_no_password(home: Home) -> None:
    await home.register()
    assert await reset(home, await home.mailed("email-verification-requested")) == 410


async def test_a_stranger_cannot_fill_somebodys_mailbox(home: Home) -> None:
    await home.register()
    tally = Tally(MAIL.free)
    for _ in range(12):
        assert (await home.call("POST", "/password-resets", {"email": "ada@example.org"})).status == 202
    assert [topic for topic, _ in await home.published()].count("password-reset-requested") in tally
