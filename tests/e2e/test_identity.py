"""Identity through the edge: a second factor, sessions, machines, a rotation, and what the other services hear."""

import asyncio
import base64
import re
import time
from typing import Any
from uuid import uuid4

import jwt
import pyotp
import pytest
from authlib.integrations.requests_client import OAuth2Session

from tests.support.shop import PASSWORD, Customer, Shop, until

RESET = "another long password"
STOCK: Any = OAuth2Session  # it has no types


async def session(shop: Shop, email: str, **more: str) -> dict[str, str]:
    answer = await shop.call("users", "POST", "/sessions", {"email": email, "password": PASSWORD, **more})
    assert answer.status == 201, answer.text
    found: dict[str, str] = answer.body
    return found


async def mailed(shop: Shop, to: str, subject: str) -> str:
    """Return the code in the mail with this subject."""
    mail = await shop.wait_mail(to, subject)
    found = re.search(r"(?<![\w-])[\w-]{43}(?![\w-])", mail["text"])
    assert found, mail
    return found[0]


async def test_a_second_factor_is_asked_for_and_a_recovery_code_stands_in(shop: Shop, customer: Customer) -> None:
    made = await shop.call("users", "POST", "/users/me/totp", token=customer.token)
    app, started = pyotp.TOTP(made.body["secret"]), time.time()
    confirmed = await shop.call(
        "users", "POST", "/users/me/totp/confirm", {"otp": app.at(started)}, token=customer.token
    )
    assert confirmed.status == 200, confirmed.text
    body = {"email": customer.email, "password": PASSWORD}
    assert (await shop.call("users", "POST", "/sessions", body)).status == 401
    # the next code is good already: a clock may be half a minute off
    await session(shop, customer.email, otp=app.at(started + 30))
    await session(shop, customer.email, otp=confirmed.body["recovery_codes"][0])


async def test_sessions_are_listed_with_an_address_that_a_client_cannot_choose(shop: Shop, customer: Customer) -> None:
    forged = {"x-forwarded-for": "203.0.113.7", "user-agent": "a forger"}
    body = {"email": customer.email, "password": PASSWORD}
    second = await shop.call("users", "POST", "/sessions", body, headers=forged)
    listed = await shop.call("users", "GET", "/sessions", token=customer.token)
    assert [(each["address"], each["current"]) for each in listed.body["items"]] == [
        ("127.0.0.1", False), ("127.0.0.1", True)
    ]  # fmt: skip
    assert listed.body["items"][0]["agent"] == "a forger"
    ended = await shop.call("users", "DELETE", f"/sessions/{second.body['session_id']}", token=customer.token)
    assert ended.status == 204
    again = {"refresh_token": second.body["refresh_token"]}
    assert (await shop.call("users", "POST", "/sessions/refresh", again)).status == 401


async def test_a_machine_client_gets_a_token_by_a_stock_library_and_does_what_it_may(shop: Shop) -> None:
    made = await shop.call(
        "users", "POST", "/clients", {"name": "warehouse", "scopes": ["catalogue"]}, token=shop.operator_token("admin")
    )
    assert made.status == 201, made.text
    described = (await shop.call("users", "GET", "/.well-known/openid-configuration")).body
    for method in described["token_endpoint_auth_methods_supported"]:
        with STOCK(made.body["id"], made.body["client_secret"], token_endpoint_auth_method=method) as client:
            client.trust_env = False
            token = client.fetch_token(described["token_endpoint"], grant_type="client_credentials")["access_token"]
        product = {"name": "Tea", "price": {"amount": 5, "currency": "EUR"}, "stock": 1, "active": True}
        path = f"/products/m-{uuid4().hex[:8]}"
        assert (await shop.call("orders", "PUT", path, product, token=token)).status in (200, 201)
        for service, theirs in (("orders", "/orders"), ("payments", f"/payments?order_id={uuid4()}")):
            refused = await shop.call(service, "GET", theirs, token=token)
            assert (refused.status, refused.slug) == (403, "scope-required")


async def test_a_stock_library_verifies_tokens_by_what_discovery_leads_it_to(
    shop: Shop, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    described = (await shop.call("users", "GET", "/.well-known/openid-configuration")).body
    assert described["issuer"] == shop.system.invoke_url("users", "").replace("127.0.0.1", "localhost")
    key = await asyncio.to_thread(jwt.PyJWKClient(described["jwks_uri"]).get_signing_key_from_jwt, customer.token)
    algorithms = described["id_token_signing_alg_values_supported"]
    claims = jwt.decode(customer.token, key, algorithms, audience="sidecart", issuer=described["issuer"])
    assert claims["sub"] == customer.id


async def test_basic_credentials_go_nowhere_else(shop: Shop) -> None:
    for user in (str(uuid4()), "dapr-app-id"):
        header = {"authorization": "Basic " + base64.b64encode(f"{user}:users".encode()).decode()}
        assert (await shop.call("users", "GET", "/users/me", headers=header)).status == 403


async def test_the_other_services_verify_through_a_rotation(shop: Shop, customer: Customer) -> None:
    rotated = await shop.call("users", "POST", "/signing-keys", {}, token=shop.operator_token("admin"))
    assert rotated.status == 201, rotated.text
    published = (await shop.call("users", "GET", "/.well-known/jwks.json")).body["keys"]
    assert rotated.body["kid"] in [key["kid"] for key in published]
    fresh = await shop.sign_in(customer.email)
    for token in (customer.token, fresh):
        assert (await shop.call("orders", "GET", "/orders", token=token)).status == 200


async def test_the_first_administrator_signs_in_with_the_secret_that_the_stack_made(shop: Shop) -> None:
    body = {"email": "admin@sidecart.test", "password": shop.system.secret("users-first-admin-password")}
    signed_in = await shop.call("users", "POST", "/sessions", body)
    assert signed_in.status == 201, signed_in.text
    found = await shop.call("users", "GET", "/users?role=admin", token=signed_in.body["access_token"])
    assert [user["email"] for user in found.body["items"]] == ["admin@sidecart.test"]
    said = (shop.system.root / "logs" / "up.log").read_text()
    assert f"users-first-admin-password in {shop.system.root / 'secrets.json'}" in said
    assert body["password"] not in said


async def test_who_is_erased_is_gone_and_the_address_is_free(shop: Shop, customer: Customer) -> None:
    erased = await shop.call("users", "DELETE", "/users/me", token=customer.token)
    assert erased.status == 202, erased.text
    body = {"email": customer.email, "password": PASSWORD}
    assert (await shop.call("users", "POST", "/sessions", body)).status == 401

    async def forgotten() -> bool | None:
        answer = await shop.call("notifications", "GET", "/notifications", token=customer.token)
        return True if answer.body["items"] == [] else None

    await until(forgotten, "notifications to forget what it sent")
    assert (await shop.register(customer.email)).id != customer.id


async def test_a_forgotten_password_is_replaced_by_mail(shop: Shop, customer: Customer) -> None:
    assert (await shop.call("users", "POST", "/password-resets", {"email": customer.email})).status == 202
    token = await mailed(shop, customer.email, "Reset your password")
    body = {"token": token, "new_password": RESET}
    assert (await shop.call("users", "POST", "/password-resets/confirm", body)).status == 204
    assert (await shop.call("users", "POST", "/password-resets/confirm", body)).status == 410
    await shop.sign_in(customer.email, RESET)


async def test_an_address_changes_by_a_word_from_both_ends(shop: Shop, customer: Customer) -> None:
    new = f"new-{uuid4().hex[:12]}@example.org"
    wish = {"new_email": new, "password": PASSWORD}
    assert (await shop.call("users", "POST", "/users/me/email", wish, token=customer.token)).status == 202
    mails = {customer.email: "Confirm that you change your address", new: "Verify your new e-mail address"}
    for end, subject in mails.items():
        token = await mailed(shop, end, subject)
        assert (await shop.call("users", "POST", "/users/verify-email", {"token": token})).status == 204
    await shop.sign_in(new)
