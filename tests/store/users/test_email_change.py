"""Another address: it takes a word from both ends, and the old one is told."""

import pytest

from tests.store.users.conftest import PASSWORD, Home

OLD, NEW = "ada@example.org", "ada@example.net"


async def ask(home: Home, new: str = NEW, password: str = PASSWORD) -> int:
    token = (await home.sign_in()).json()["access_token"]
    return (await home.call("POST", "/users/me/email", {"new_email": new, "password": password}, token)).status


async def confirm(home: Home, end: str) -> int:
    token = await home.mailed("email-verification-requested", purpose=f"email_change_{end}")
    return (await home.call("POST", "/users/verify-email", {"token": token})).status


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
async def test_the_address_changes_when_both_ends_have_confirmed(home: Home, order: tuple[str, str]) -> None:
    await home.register()
    assert await ask(home) == 202
    assert await confirm(home, order[0]) == 204
    assert (await home.sign_in(NEW)).status == 401
    assert await confirm(home, order[1]) == 204
    me = await home.call("GET", "/users/me", token=(await home.sign_in(NEW)).json()["access_token"])
    assert (me.json()["email"], me.json()["email_verified"]) == (NEW, True)
    assert (await home.sign_in(OLD)).status == 401
    (topic, changed), (alerted, alert) = (await home.published())[-2:]
    assert (topic, changed["email"]) == ("user-changed", NEW)
    assert (alerted, alert["kind"], alert["email"]) == ("security-alert", "email_changed", OLD)
    assert alert["sequence"] == changed["sequence"] + 1


async def test_each_end_gets_a_mail_of_its_own(home: Home) -> None:
    await home.register()
    await ask(home)
    asked = [data for topic, data in await home.published() if topic == "email-verification-requested"][-2:]
    assert [(data["purpose"], data["email"]) for data in asked] == [
        ("email_change_old", OLD), ("email_change_new", NEW)
    ]  # fmt: skip


async def test_it_takes_the_password(home: Home) -> None:
    await home.register()
    assert await ask(home, password="wrong") == 403
    assert len(await home.published()) == 2


async def test_an_address_that_has_an_account_is_answered_alike_and_is_not_taken_over(home: Home) -> None:
    await home.register()
    await home.register(NEW)
    before = len(await home.published())
    assert await ask(home) == 202
    assert [data["purpose"] for _, data in (await home.published())[before:]] == ["email_change_old"]
    assert await confirm(home, "old") == 204
    assert (await home.sign_in(OLD)).status == 201


async def test_an_address_that_was_registered_meanwhile_stays_with_whoever_has_it(home: Home) -> None:
    await home.register()
    await ask(home)
    await home.register(NEW, "quite another password")
    assert await confirm(home, "old") == 204
    assert await confirm(home, "new") == 410
    assert (await home.sign_in(OLD)).status == 201
    assert (await home.sign_in(NEW, "quite another password")).status == 201


async def test_a_second_wish_replaces_the_first(home: Home) -> None:
    await home.register()
    await ask(home, "first@example.net")
    first = await home.mailed("email-verification-requested", purpose="email_change_new")
    await ask(home)
    assert (await home.call("POST", "/users/verify-email", {"token": first})).status == 410
    assert [await confirm(home, "old"), await confirm(home, "new")] == [204, 204]
    assert (await home.sign_in(NEW)).status == 201


async def test_a_link_in_an_earlier_mail_to_the_old_address_opens_nothing_any_more(home: Home) -> None:
    await home.register()
    await ask(home)
    await home.call("POST", "/password-resets", {"email": OLD})
    link = await home.mailed("password-reset-requested")
    assert [await confirm(home, "old"), await confirm(home, "new")] == [204, 204]
    body = {"token": link, "new_password": "taken over by mail"}
    assert (await home.call("POST", "/password-resets/confirm", body)).status == 410


async def test_a_wish_that_waited_too_long_is_over(home: Home) -> None:
    await home.register()
    await ask(home)
    assert await confirm(home, "old") == 204
    await home.change("UPDATE email_changes SET expires_at = now()")
    assert await confirm(home, "new") == 410
    assert (await home.sign_in(OLD)).status == 201
