"""Taking home what is stored, and being forgotten."""

import asyncio
from typing import Any

from apps.chassis.sidecar import SidecarError
from apps.users import first_admin
from tests.store.users.conftest import PASSWORD, Home


async def signed_in(home: Home) -> dict[str, Any]:
    await home.register(name="Ada Lovelace", phone="+4915112345678")
    session: dict[str, Any] = (await home.sign_in(address="203.0.113.7")).json()
    return session


async def test_the_export_holds_all_that_is_stored_but_secrets(home: Home) -> None:
    token = (await signed_in(home))["access_token"]
    await home.call("POST", "/users/me/totp", token=token)
    reply = await home.call("GET", "/users/me/export", token=token)
    said = reply.json()
    assert (said["profile"]["email"], said["profile"]["phone"]) == ("ada@example.org", "+4915112345678")
    assert [session["address"] for session in said["sessions"]] == ["203.0.113.7"]
    assert [mail["purpose"] for mail in said["pending_mails"]] == ["verify_email"]
    assert said["second_factor"]["confirmed_at"] is None
    assert [each["action"] for each in said["audit"]] == ["exported", "signed_in", "registered"]
    assert reply.headers["cache-control"] == "no-store"
    for secret in (b"argon2", b"hash", PASSWORD.encode()):
        assert secret not in reply.body


async def test_who_is_erased_leaves_nothing_but_a_trail_without_a_name(home: Home) -> None:
    session = await signed_in(home)
    (user,) = await home.rows("SELECT id FROM users")
    assert (await home.call("DELETE", "/users/me", token=session["access_token"])).status == 202
    topic, told = (await home.published())[-1]
    assert (topic, told["user_id"]) == ("user-erased", str(user.id))
    assert told["sequence"] == max(data["sequence"] for _, data in await home.published())
    for table in ("users", "sessions", "one_time_tokens", "second_factors", "recovery_codes", "email_changes"):
        assert await home.rows(f"SELECT 1 FROM {table}") == [], table  # noqa: S608
    trail = await home.rows("SELECT * FROM audit_events")
    assert {row.action for row in trail} == {"registered", "signed_in", "erased"}
    assert all(row.address is None and row.agent is None and row.detail == {} for row in trail)
    assert (await home.refresh(session["refresh_token"])).status == 401
    assert (await home.call("GET", "/users/me", token=session["access_token"])).status == 401


async def test_the_address_of_one_erased_can_be_registered_anew(home: Home) -> None:
    token = (await signed_in(home))["access_token"]
    await home.call("DELETE", "/users/me", token=token)
    assert (await home.sign_in()).status == 401
    assert (await home.register(password="somebody else's password")).status == 202
    assert (await home.sign_in(password="somebody else's password")).status == 201


async def test_sessions_are_listed_with_where_they_began_and_ended_one_by_one_or_all(home: Home) -> None:
    mine = await signed_in(home)
    other, third = (await home.sign_in()).json(), (await home.sign_in()).json()
    token = mine["access_token"]
    page = (await home.call("GET", "/sessions?limit=2", token=token)).json()
    rest = (await home.call("GET", f"/sessions?cursor={page['next']}", token=token)).json()
    assert [each["id"] for each in page["items"]] == [third["session_id"], other["session_id"]]
    assert [(each["id"], each["current"], each["address"]) for each in rest["items"]] == [
        (mine["session_id"], True, "203.0.113.7")
    ]
    assert rest["next"] is None
    assert (await home.call("DELETE", f"/sessions/{other['session_id']}", token=token)).status == 204
    assert (await home.refresh(other["refresh_token"])).status == 401
    assert (await home.refresh(third["refresh_token"])).status == 200
    assert (await home.call("DELETE", "/sessions", token=token)).status == 204
    assert (await home.call("GET", "/sessions", token=token)).status == 401
    assert await home.rows("SELECT 1 FROM sessions") == []


class Secrets:
    """The sidecar's secret store with the first administrator's password, or without."""

    def __init__(self, password: str | None) -> None:
        self._password = password

    async def secret(self, name: str) -> str:
        if self._password is None:
            raise SidecarError(f"secret {name} cannot be read")
        return self._password


async def test_the_first_administrator_is_made_once_by_whoever_starts_first(home: Home) -> None:
    sidecar: Any = Secrets("out of the secret store")
    await asyncio.gather(*(first_admin.ensure(home.means, sidecar) for _ in range(3)))
    email = home.means.settings.first_admin_email
    token = (await home.sign_in(email, "out of the secret store")).json()["access_token"]
    me = (await home.call("GET", "/users/me", token=token)).json()
    assert (me["roles"], me["email_verified"]) == (["admin", "customer"], True)
    await first_admin.ensure(home.means, cast_secrets("another password of the store"))
    assert (await home.sign_in(email, "another password of the store")).status == 401
    assert ("first_administrator_made", "done") in await home.trail()


async def test_there_is_no_administrator_without_a_password_and_none_out_of_a_strangers_account(home: Home) -> None:
    await first_admin.ensure(home.means, cast_secrets(None))
    assert await home.rows("SELECT 1 FROM users") == []
    await home.register(home.means.settings.first_admin_email)
    await first_admin.ensure(home.means, cast_secrets("out of the secret store"))
    assert await home.rows("SELECT 1 FROM users WHERE roles @> '{admin}'") == []


def cast_secrets(password: str | None) -> Any:
    return Secrets(password)
