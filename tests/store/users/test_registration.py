import asyncio
from datetime import timedelta
from typing import Any

import pytest

from apps.users.means import Means
from apps.users.throttling import MAIL
from tests.store.users.conftest import PASSWORD, Home, Tally

ACCEPTED = b'{"status":"check_your_mail"}'


async def test_a_new_address_gets_an_account_and_a_mail_to_prove_it(home: Home) -> None:
    reply = await home.register(name="Ada", locale="de-CH", timezone="Europe/Zurich")
    assert (reply.status, reply.body) == (202, ACCEPTED)
    (first, registered), (second, asked) = await home.published()
    assert (first, second) == ("user-registered", "email-verification-requested")
    assert (registered["sequence"], asked["sequence"]) == (1, 2)
    assert registered["user_id"] == asked["user_id"]
    assert registered["email"] == asked["email"] == "ada@example.org"
    assert (registered["name"], registered["locale"], registered["timezone"]) == ("Ada", "de-CH", "Europe/Zurich")


@pytest.mark.parametrize("spelt", ["ada@example.org", "ADA@Example.ORG"])
async def test_a_known_address_is_answered_alike_and_only_its_owner_is_told(home: Home, spelt: str) -> None:
    first = await home.register()
    second = await home.register(spelt, "another password", name="Eve")
    assert (second.status, second.body, second.headers) == (first.status, first.body, first.headers)
    published = await home.published()
    topic, alert = published[-1]
    assert len(published) == 3
    assert (topic, alert["kind"], alert["sequence"]) == ("security-alert", "registration_attempted", 3)
    assert alert["user_id"] == published[0][1]["user_id"]
    assert [row.name for row in await home.rows("SELECT name FROM users")] == [None]
    assert (await home.sign_in()).status == 201
    assert (await home.sign_in(password="another password")).status == 401


async def test_a_known_address_costs_a_hash_as_well(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = home.means.passwords.hash

    async def counted(password: str) -> str:
        hashed.append(password)
        return await real(password)

    monkeypatch.setattr(home.means.passwords, "hash", counted)
    await home.register()
    await home.register()
    assert hashed == [PASSWORD, PASSWORD]


async def test_many_registrations_of_one_address_at_once_make_one_account(home: Home) -> None:
    tally = Tally(MAIL.free)
    replies = await asyncio.gather(*(home.register() for _ in range(20)))
    assert {(reply.status, reply.body) for reply in replies} == {(202, ACCEPTED)}
    assert len(await home.rows("SELECT id FROM users")) == 1
    published = await home.published()
    assert sorted(topic for topic, _ in published).count("user-registered") == 1
    # the owner is told, and told no more often than a stranger may have them told
    alerts = [data["kind"] for topic, data in published if topic == "security-alert"]
    assert set(alerts) == {"registration_attempted"}
    assert len(alerts) in tally
    assert sorted(data["sequence"] for _, data in published) == list(range(1, 3 + len(alerts)))


async def test_the_mailed_token_proves_the_address_once(home: Home) -> None:
    await home.register()
    token = (await home.published())[1][1]["token"]
    proofs = await asyncio.gather(*(home.call("POST", "/users/verify-email", {"token": token}) for _ in range(5)))
    assert sorted(reply.status for reply in proofs) == [204, 410, 410, 410, 410]
    signed_in = (await home.sign_in()).json()
    assert (await home.call("GET", "/users/me", token=signed_in["access_token"])).json()["email_verified"] is True


async def ask_again(home: Home, email: str = "ada@example.org") -> tuple[int, bytes]:
    reply = await home.call("POST", "/users/verify-email/requests", {"email": email})
    return reply.status, reply.body


async def test_a_link_that_expired_is_sent_anew_and_the_first_leads_nowhere(home: Home) -> None:
    await home.register()
    first = await home.mailed("email-verification-requested")
    await home.change("UPDATE one_time_tokens SET expires_at = now()")
    assert await ask_again(home) == (202, ACCEPTED)
    second = await home.mailed("email-verification-requested")
    proofs = [await home.call("POST", "/users/verify-email", {"token": token}) for token in (first, second)]
    assert [reply.status for reply in proofs] == [410, 204]
    assert ("verification_requested", "done") in await home.trail()


async def test_nobody_learns_from_asking_again_and_nobody_is_sent_many(home: Home) -> None:
    await home.register()
    tally = Tally(MAIL.free)
    for _ in range(6):
        assert await ask_again(home) == await ask_again(home, "nobody@example.org") == (202, ACCEPTED)
    topics = [topic for topic, _ in await home.published()]
    assert topics.count("email-verification-requested") - 1 in tally
    assert ("verification_requested", "refused") in await home.trail()
    token = await home.mailed("email-verification-requested")
    await home.call("POST", "/users/verify-email", {"token": token})
    await home.change("DELETE FROM throttles")
    assert await ask_again(home) == (202, ACCEPTED)
    assert [topic for topic, _ in await home.published()] == topics, "an address that is proved gets no mail"


@pytest.mark.parametrize(
    "spoil", ["UPDATE one_time_tokens SET expires_at = now()", "UPDATE users SET email = 'b@c.de'"]
)
async def test_a_token_that_came_too_late_or_for_another_address_proves_nothing(home: Home, spoil: str) -> None:
    await home.register()
    token = (await home.published())[1][1]["token"]
    await home.change(spoil)
    late = await home.call("POST", "/users/verify-email", {"token": token})
    made_up = await home.call("POST", "/users/verify-email", {"token": "made up"})
    assert (late.status, late.json()["detail"]) == (410, made_up.json()["detail"])
    assert [row.email_verified for row in await home.rows("SELECT email_verified FROM users")] == [False]


async def test_neither_password_nor_mailed_token_is_stored_in_clear(home: Home) -> None:
    await home.register()
    token = (await home.published())[1][1]["token"]
    for table in ("users", "one_time_tokens", "outbox"):
        dump = b"".join(
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for row in await home.rows(f"SELECT * FROM {table}")  # noqa: S608  # our own names
            for value in row
        )
        assert dump
        assert token.encode() not in dump
        assert PASSWORD.encode() not in dump


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"email": "ada"}, "#/email"), ({"password": "2short!"}, "#/password"), ({"name": 5}, "#/name")],
)
async def test_an_invalid_field_is_named_not_repeated_and_nothing_is_written(
    home: Home, change: dict[str, Any], pointer: str
) -> None:
    reply = await home.call("POST", "/users", {"email": "ada@example.org", "password": PASSWORD, **change})
    assert (reply.status, [error["pointer"] for error in reply.json()["errors"]]) == (422, [pointer])
    assert b"2short!" not in reply.body
    assert PASSWORD.encode() not in reply.body
    assert await home.rows("SELECT 1 FROM users UNION ALL SELECT 1 FROM outbox") == []


async def test_a_mail_token_lives_as_long_as_is_set(home: Home) -> None:
    means: Means = home.means
    await home.register()
    (row,) = await home.rows("SELECT expires_at - created_at AS life FROM one_time_tokens")
    assert abs(row.life - means.settings.verification_ttl) < timedelta(seconds=5)
