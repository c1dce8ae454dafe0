from typing import Any
from uuid import UUID

import pytest

from tests.store.users.conftest import Home


async def signed_in(home: Home) -> str:
    await home.register(name="Ada", phone="+4915112345678")
    return str((await home.sign_in()).json()["access_token"])


async def test_the_profile_shows_the_fields_promised(home: Home) -> None:
    profile = (await home.call("GET", "/users/me", token=await signed_in(home))).json()
    assert UUID(profile.pop("id"))
    assert profile.pop("created_at").endswith("Z")
    assert profile == {
        "email": "ada@example.org", "email_verified": False, "name": "Ada", "phone": "+4915112345678", "locale": "en",
        "timezone": "UTC", "roles": ["customer"], "totp_enabled": False,
    }  # fmt: skip


async def test_a_change_is_kept_and_told(home: Home) -> None:
    token = await signed_in(home)
    reply = await home.call("PATCH", "/users/me", {"name": None, "locale": "fr", "timezone": "Europe/Paris"}, token)
    assert (reply.status, reply.json()["name"], reply.json()["phone"]) == (200, None, "+4915112345678")
    assert (await home.call("GET", "/users/me", token=token)).json() == reply.json()
    topic, told = (await home.published())[-1]
    assert (topic, told["sequence"], told["locale"], told["timezone"]) == ("user-changed", 3, "fr", "Europe/Paris")
    assert (told["name"], told["phone"], told["email"]) == (None, "+4915112345678", "ada@example.org")


@pytest.mark.parametrize("change", [{}, {"name": "Ada"}])
async def test_what_changes_nothing_is_told_to_nobody(home: Home, change: dict[str, Any]) -> None:
    token = await signed_in(home)
    assert (await home.call("PATCH", "/users/me", change, token)).status == 200
    assert len(await home.published()) == 2


@pytest.mark.parametrize("change", [{"locale": None}, {"roles": ["admin"]}, {"email": "eve@example.org"}])
async def test_what_is_not_theirs_to_change_is_refused(home: Home, change: dict[str, Any]) -> None:
    assert (await home.call("PATCH", "/users/me", change, await signed_in(home))).status == 422
    assert len(await home.published()) == 2


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_profile_is_for_those_who_signed_in(home: Home, method: str) -> None:
    assert (await home.call(method, "/users/me", {})).status == 401
    assert (await home.call(method, "/users/me", {}, token="forged")).status == 401


async def test_notifications_learns_how_to_reach_a_person(home: Home) -> None:
    await signed_in(home)
    (user,) = await home.rows("SELECT id FROM users")
    reply = await home.call("GET", f"/internal/users/contact?id={user.id}", dapr_caller_app_id="notifications")
    assert reply.json() == {
        "user_id": str(user.id), "sequence": 2, "email": "ada@example.org", "email_verified": False, "name": "Ada",
        "phone": "+4915112345678", "locale": "en", "timezone": "UTC",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("caller", "query", "status"),
    [
        ("edge", f"id={UUID(int=1)}", 403), ("payments", f"id={UUID(int=1)}", 403), ("", f"id={UUID(int=1)}", 403),
        ("orders", f"id={UUID(int=1)}", 403), ("notifications", f"id={UUID(int=1)}", 404),
        ("notifications", "id=5", 422), ("notifications", "", 422),
    ],
)  # fmt: skip
async def test_contacts_are_for_nobody_else_and_need_an_id(home: Home, caller: str, query: str, status: int) -> None:
    reply = await home.call("GET", f"/internal/users/contact?{query}", dapr_caller_app_id=caller)
    assert reply.status == status


def allow_operator(home: Home) -> None:
    home.set(operator_tokens=True)


async def test_the_operator_gets_a_token_where_that_is_allowed(home: Home) -> None:
    allow_operator(home)
    body = {"role": "staff", "user_id": str(UUID(int=4)), "ttl_s": 60}
    reply = await home.call("POST", "/internal/operator-tokens", body)
    assert set(reply.json()) == {"access_token"}
    principal = await home.app.state.chassis.tokens.principal(f"Bearer {reply.json()['access_token']}")
    assert (principal.id, principal.roles, principal.session_id) == (UUID(int=4), {"staff"}, None)


@pytest.mark.parametrize(
    "body", [{"role": "king"}, {"role": "staff", "ttl_s": 86_401}, {"role": "staff", "ttl_s": 0}, {}]
)
async def test_the_operator_cannot_ask_for_more_than_there_is(home: Home, body: dict[str, Any]) -> None:
    allow_operator(home)
    assert (await home.call("POST", "/internal/operator-tokens", body)).status == 422


async def test_operator_tokens_are_off_unless_asked_for(home: Home) -> None:
    reply = await home.call("POST", "/internal/operator-tokens", {"role": "admin"})
    assert (reply.status, reply.json()["type"]) == (403, "/problems/operator-tokens-off")
    assert "USERS_OPERATOR_TOKENS" in reply.json()["detail"]


@pytest.mark.parametrize("caller", ["edge", "orders", "users"])
async def test_no_operator_token_is_made_through_a_sidecar(home: Home, caller: str) -> None:
    allow_operator(home)
    reply = await home.call("POST", "/internal/operator-tokens", {"role": "admin"}, dapr_caller_app_id=caller)
    assert (reply.status, reply.json()["type"]) == (403, "/problems/caller-not-allowed")
