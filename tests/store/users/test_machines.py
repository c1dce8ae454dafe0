"""Machine clients: a name, a secret, scopes; what they may do, and how their secrets change."""

import base64
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from tests.store.users.conftest import Home
from tests.support.asgi import Reply

FORM = "application/x-www-form-urlencoded"


async def make(home: Home, *scopes: str) -> dict[str, Any]:
    body = {"name": "warehouse", "scopes": list(scopes or ("catalogue", "orders"))}
    reply = await home.call("POST", "/clients", body, home.operator("admin"))
    assert reply.status == 201, reply.body
    made: dict[str, Any] = reply.json()
    return made


async def ask(home: Home, basic: tuple[str, str] | None = None, **fields: str) -> Reply:
    form = urlencode({"grant_type": "client_credentials", **fields}).encode()
    headers = {"content_type": FORM}
    if basic:
        headers["authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    return await home.call("POST", "/oauth2/token", form, **headers)


async def test_a_client_proves_itself_in_the_header_or_in_the_form(home: Home) -> None:
    client = await make(home)
    proof = (client["id"], client["client_secret"])
    by_header = await ask(home, proof)
    by_form = await ask(home, client_id=proof[0], client_secret=proof[1], scope="catalogue")
    assert (by_header.status, by_form.status) == (200, 200)
    assert by_header.headers["cache-control"] == "no-store"
    assert by_header.json() | {"access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "expires_in": 600, "scope": "catalogue orders",
    }  # fmt: skip
    tokens = home.app.state.chassis.tokens
    principal = await tokens.principal(f"Bearer {by_header.json()['access_token']}")
    assert (str(principal.id), principal.client, principal.roles) == (client["id"], True, {"staff"})
    assert principal.scopes == {"catalogue", "orders"}
    less = await tokens.principal(f"Bearer {by_form.json()['access_token']}")
    assert less.scopes == {"catalogue"}


async def test_it_may_do_what_its_scopes_stand_for_and_nothing_else(home: Home) -> None:
    async def token(*scopes: str) -> str:
        client = await make(home, *scopes)
        return str((await ask(home, (client["id"], client["client_secret"]))).json()["access_token"])

    catalogue, support, profile = await token("catalogue"), await token("support"), await token("profile")
    assert (await home.call("GET", "/users", token=support)).status == 200
    assert (await home.call("GET", "/clients", token=support)).status == 403
    for path, slug in (("/users", "role-required"), ("/users/me", "scope-required")):
        reply = await home.call("GET", path, token=catalogue)
        assert (reply.status, reply.json()["type"]) == (403, f"/problems/{slug}")
    assert (await home.call("GET", "/users/me", token=profile)).status == 404  # it is nobody


async def test_two_secrets_overlap_and_a_third_ends_the_first(home: Home) -> None:
    client, admin = await make(home), home.operator("admin")
    secrets = [client["client_secret"]]
    for _ in range(2):
        renewed = await home.call("POST", f"/clients/{client['id']}/secrets", token=admin)
        assert renewed.status == 201
        secrets.append(renewed.json()["client_secret"])
    assert [(await ask(home, (client["id"], secret))).status for secret in secrets] == [401, 200, 200]
    await home.change("UPDATE machine_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
    assert [(await ask(home, (client["id"], secret))).status for secret in secrets] == [401, 401, 200]


async def test_a_revoked_client_gets_no_token_and_stays_in_the_list(home: Home) -> None:
    client, admin = await make(home), home.operator("admin")
    assert (await home.call("DELETE", f"/clients/{client['id']}", token=admin)).status == 204
    assert (await ask(home, (client["id"], client["client_secret"]))).status == 401
    for method, path in (("DELETE", ""), ("POST", "/secrets")):
        assert (await home.call(method, f"/clients/{client['id']}{path}", token=admin)).status == 404
    (listed,) = (await home.call("GET", "/clients", token=admin)).json()["items"]
    assert listed["revoked_at"]
    assert "client_secret" not in listed


async def test_refusals_read_as_oauth_and_as_problems(home: Home) -> None:
    client = await make(home, "catalogue")
    proof = (client["id"], client["client_secret"])
    refused = {
        "invalid_client": [await ask(home, (proof[0], "wrong")), await ask(home, ("nobody", "x")), await ask(home)],
        "invalid_scope": [await ask(home, proof, scope="admin"), await ask(home, proof, scope="catalogue x")],
        "unsupported_grant_type": [await ask(home, proof, grant_type="password")],
        "invalid_request": [
            await ask(home, proof, client_secret=proof[1]),
            await home.call("POST", "/oauth2/token", b"grant_type=client_credentials"),
            await home.call("POST", "/oauth2/token", b"", content_type=FORM),
            await home.call("POST", "/oauth2/token", b"grant_type=a&grant_type=b", content_type=FORM),
            await home.call("POST", "/oauth2/token", b"\xff", content_type=FORM),
        ],
    }
    for error, replies in refused.items():
        for reply in replies:
            body = reply.json()
            assert (reply.status, body["error"]) == (401 if error == "invalid_client" else 400, error), body
            assert body["status"] == reply.status
            assert ("www-authenticate" in reply.headers) == (reply.status == 401)
    assert proof[1].encode() not in b"".join(reply.body for replies in refused.values() for reply in replies)


@pytest.mark.parametrize("basic", ["Basic", "Basic !!", "Basic /w==", "Basic Og=="])
async def test_credentials_that_are_none_are_refused(home: Home, basic: str) -> None:
    headers = {"content_type": FORM, "authorization": basic}
    reply = await home.call("POST", "/oauth2/token", b"grant_type=client_credentials", **headers)
    assert (reply.status, reply.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("body", [{"name": "x", "scopes": ["king"]}, {"name": "x", "scopes": []}, {"name": ""}])
async def test_a_client_without_a_name_or_with_unknown_scopes_is_not_made(home: Home, body: dict[str, Any]) -> None:
    assert (await home.call("POST", "/clients", body, home.operator("admin"))).status == 422


async def test_only_hashes_of_secrets_are_stored_and_the_trail_knows_who_did_what(home: Home) -> None:
    client = await make(home)
    await ask(home, (client["id"], client["client_secret"]))
    (row,) = await home.rows("SELECT secret_hash FROM machine_secrets")
    assert client["client_secret"].encode() not in bytes(row.secret_hash)
    await ask(home, (client["id"], "wrong"))
    await ask(home, (str(UUID(int=1)), "wrong"))
    issued = "client_token_issued"
    assert await home.trail() == [("client_made", "done"), (issued, "done"), (issued, "refused"), (issued, "refused")]
