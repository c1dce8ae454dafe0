"""What support may see and administrators may do, and what not even they may."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.store.users.conftest import PASSWORD, Home
from tests.support.asgi import Reply


async def account(home: Home, email: str, *roles: str, **fields: Any) -> tuple[str, str]:
    """Return id and access token of somebody with these roles."""
    await home.register(email, **fields)
    await home.change(f"UPDATE users SET roles = '{{{','.join(roles)}}}' WHERE email = '{email}'")  # noqa: S608
    token = (await home.sign_in(email)).json()["access_token"]
    return (await home.call("GET", "/users/me", token=token)).json()["id"], token


async def assign(home: Home, user: str, token: str, *roles: str) -> Reply:
    return await home.call("PUT", f"/users/{user}/roles", {"roles": list(roles)}, token)


async def test_roles_are_given_and_the_next_token_has_them(home: Home) -> None:
    _, admin = await account(home, "root@example.org", "admin")
    ada, _ = await account(home, "ada@example.org", "customer")
    reply = await assign(home, ada, admin, "staff", "customer", "staff")
    assert (reply.status, reply.json()["roles"]) == (200, ["customer", "staff"])
    assert (await home.published())[-1][1]["kind"] == "roles_changed"
    access = (await home.sign_in()).json()["access_token"]
    principal = await home.app.state.chassis.tokens.principal(f"Bearer {access}")
    assert "catalogue" in principal.scopes
    assert (await assign(home, ada, admin, "king")).status == 422
    assert (await assign(home, str(UUID(int=1)), admin, "staff")).status == 404


async def test_nobody_demotes_locks_or_erases_the_last_administrator(home: Home) -> None:
    root, admin = await account(home, "root@example.org", "admin")
    second, _ = await account(home, "second@example.org", "admin")
    assert (await home.call("POST", f"/users/{second}/lock", token=admin)).status == 200
    refusals = [
        await assign(home, root, admin, "customer"),
        await home.call("POST", f"/users/{root}/lock", token=admin),
        await home.call("DELETE", "/users/me", token=admin),
    ]
    assert [(reply.status, reply.json()["type"]) for reply in refusals] == [(409, "/problems/last-administrator")] * 3
    assert (await home.call("POST", f"/users/{second}/unlock", token=admin)).status == 200
    assert (await assign(home, root, admin, "customer")).status == 200


async def test_two_administrators_who_demote_each_other_do_not_both_succeed(home: Home) -> None:
    (one, first), (other, second) = [await account(home, f"{name}@example.org", "admin") for name in ("one", "two")]
    replies = await asyncio.gather(assign(home, other, first, "customer"), assign(home, one, second, "customer"))
    assert sorted(reply.status for reply in replies) == [200, 409]
    assert len(await home.rows("SELECT 1 FROM users WHERE roles @> '{admin}'")) == 1


async def test_a_locked_account_signs_in_no_more_and_is_told_from_a_wrong_password_by_nobody(home: Home) -> None:
    _, admin = await account(home, "root@example.org", "admin")
    ada, token = await account(home, "ada@example.org", "customer")
    assert (await home.call("POST", f"/users/{ada}/lock", token=admin)).json()["status"] == "locked"
    locked, wrong = await home.sign_in(), await home.sign_in(password="wrong")
    assert (locked.status, locked.json()["detail"]) == (401, wrong.json()["detail"])
    assert (await home.call("GET", "/users/me", token=token)).status == 401
    assert await home.rows(f"SELECT 1 FROM sessions WHERE user_id = '{ada}'") == []  # noqa: S608
    await home.call("POST", f"/users/{ada}/unlock", token=admin)
    assert (await home.sign_in()).status == 201


async def test_an_administrator_ends_the_sessions_of_an_account_that_may_be_used_again(home: Home) -> None:
    _, admin = await account(home, "root@example.org", "admin")
    ada, _ = await account(home, "ada@example.org", "customer")
    session = (await home.sign_in()).json()
    assert (await home.call("DELETE", f"/users/{ada}/sessions", token=admin)).status == 204
    assert (await home.refresh(session["refresh_token"])).status == 401
    assert (await home.call("GET", "/users/me", token=session["access_token"])).status == 401
    assert (await home.call("GET", "/users/me", token=admin)).status == 200
    assert (await home.sign_in()).status == 201
    assert (await home.call("DELETE", f"/users/{UUID(int=1)}/sessions", token=admin)).status == 404


ADMIN_ONLY = [
    ("DELETE", "/users/{}/sessions"), ("GET", "/audit"),
    ("PUT", "/users/{}/roles"), ("POST", "/users/{}/lock"), ("POST", "/users/{}/unlock"), ("GET", "/users/{}/audit"),
    ("POST", "/clients"), ("GET", "/clients"), ("POST", "/signing-keys"),
]  # fmt: skip


@pytest.mark.parametrize("role", ["customer", "staff", "support"])
async def test_what_is_for_administrators_is_for_nobody_else(home: Home, role: str) -> None:
    token = home.operator(role)
    for method, path in ADMIN_ONLY:
        reply = await home.call(method, path.format(UUID(int=1)), {"roles": ["admin"]}, token)
        assert (reply.status, reply.json()["type"]) == (403, "/problems/role-required"), path
    for path in ("/users", f"/users/{UUID(int=1)}"):
        seen = await home.call("GET", path, token=token)
        assert seen.status == (403 if role != "support" else 200 if path == "/users" else 404), path


async def test_the_trail_tells_who_did_what_from_where_and_how_it_ended(home: Home) -> None:
    root, admin = await account(home, "root@example.org", "admin")
    ada, _ = await account(home, "ada@example.org", "customer")
    await home.sign_in(password="wrong", address="203.0.113.7")
    await assign(home, ada, admin, "staff")
    page = (await home.call("GET", f"/users/{ada}/audit?limit=2", token=admin)).json()
    assert [(each["action"], each["outcome"], each["actor"]) for each in page["items"]] == [
        ("roles_changed", "done", f"user:{root}"), ("signed_in", "refused", "anyone"),
    ]  # fmt: skip
    assert page["items"][0]["detail"] == {"before": ["customer"], "after": ["staff"]}
    assert page["items"][1]["address"] == "203.0.113.7"
    rest = (await home.call("GET", f"/users/{ada}/audit?cursor={page['next']}", token=admin)).json()
    assert [each["action"] for each in rest["items"]] == ["signed_in", "registered"]
    assert rest["next"] is None


async def pages(home: Home, query: str) -> list[str]:
    """Return the addresses of every page, three at a time."""
    token, cursor, found = home.operator("support"), "", list[str]()
    while True:
        page = (await home.call("GET", f"/users?limit=3&{query}{cursor}", token=token)).json()
        found += [user["email"] for user in page["items"]]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


async def test_accounts_are_found_by_how_address_or_name_begins_each_once_and_page_by_page(home: Home) -> None:
    for number in range(5):
        await home.register(f"ada{number}@example.org", name="Ada Lovelace")
        await home.register(f"zoe{number}@example.org", name="ADAM" if number < 4 else "100% _ada")
    adas, zoes = [f"ada{n}@example.org" for n in range(5)], [f"zoe{n}@example.org" for n in range(4)]
    assert await pages(home, "q=ADA") == adas + zoes
    assert await pages(home, "q=zoe3") == ["zoe3@example.org"]
    assert await pages(home, "q=100%25") == ["zoe4@example.org"]
    assert await pages(home, "q=%25") == []
    assert await pages(home, "q=_da") == []
    newest_first = [email for n in reversed(range(5)) for email in (f"zoe{n}@example.org", f"ada{n}@example.org")]
    assert await pages(home, "") == newest_first


async def test_accounts_are_found_by_role_and_status(home: Home) -> None:
    await account(home, "staff@example.org", "staff")
    ada, _ = await account(home, "ada@example.org", "customer")
    await home.call("POST", f"/users/{ada}/lock", token=home.operator("admin"))
    assert await pages(home, "role=staff") == ["staff@example.org"]
    assert await pages(home, "status=locked") == ["ada@example.org"]
    assert await pages(home, "status=active&role=customer") == []


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=WyJlbWFpbCJd", "q=", "q=%00", "role=king", "limit=0", "status=x"]
)
async def test_a_search_that_makes_no_sense_is_invalid_content(home: Home, query: str) -> None:
    assert (await home.call("GET", f"/users?{query}", token=home.operator("support"))).status == 422


async def test_an_account_shows_no_hash(home: Home) -> None:
    ada, _ = await account(home, "ada@example.org", "customer")
    shown = await home.call("GET", f"/users/{ada}", token=home.operator("support"))
    assert b"argon2" not in shown.body
    assert PASSWORD.encode() not in shown.body
