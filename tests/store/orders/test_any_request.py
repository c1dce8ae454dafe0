"""Whatever is sent to any route, nothing of it is our fault: no 5xx, and every refusal is a problem."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.core import NotSet

from tests.store.orders.shop import ANNA, Shop, open_shop, settings_from_environment
from tests.support.any_request import invented, json_of, operations
from tests.support.asgi import APP_TOKEN, Reply, call

EXAMPLES = 2
OURS = ("/orders", "/products", "/quotes", "/dead-letters")


async def prepared(url: str) -> tuple[Shop, dict[str, Any]]:
    shop = open_shop(url, settings_from_environment(), 2)
    await shop.stock(tea=10**6)
    view = await shop.paid(tea=5)
    await shop.ship(view, tea=1)
    return shop, await shop.shown(view["id"])


async def send(shop: Shop, view: dict[str, Any], case: Any, *, role: str, real: bool) -> Reply:
    """Send a case; *real* puts the order that there is in the place of an invented id."""
    names = dict(case.path_parameters or {})
    if real and "order_id" in names:
        names["order_id"] = view["id"]
    path = case.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    query = urlencode({k: v for k, v in (case.query or {}).items() if v is not None}, doseq=True)
    body = None if isinstance(case.body, NotSet) else json_of(case.body)
    headers = {"authorization": f"Bearer {role}:{ANNA}", "idempotency-key": uuid4().hex, "if-match": "*"}
    return await call(shop.app, case.method, f"{path}?{query}", body, headers)


def attack(url: str, examples: int) -> int:
    """Send *examples* cases to each operation; return how many were answered."""
    answered = 0
    with asyncio.Runner() as runner:
        shop, view = runner.run(prepared(url))
        try:
            for operation in operations(shop.app.openapi()):
                if operation.path.startswith(OURS) and not operation.path.endswith("/events"):
                    answered += besiege(runner.run, shop, view, operation, examples)
        finally:
            runner.run(shop.database.close())
    return answered


def besiege(
    run: Callable[[Coroutine[Any, Any, Reply]], Reply], shop: Shop, view: dict[str, Any], operation: Any, examples: int
) -> int:
    answered = 0

    @invented(examples)
    @given(case=operation.as_strategy(), role=st.sampled_from(["customer", "staff", "admin"]), real=st.booleans())
    def one(case: Any, role: str, real: bool) -> None:
        nonlocal answered
        reply = run(send(shop, view, case, role=role, real=real))
        assert reply.status < 500, (case.method, case.path, case.body, reply.body)
        if reply.status >= 400:
            assert reply.headers["content-type"] == "application/problem+json", reply.body
        answered += 1

    one()
    return answered


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)


def test_no_request_that_the_description_allows_makes_the_service_fail(database_for: Callable[[str], str]) -> None:
    assert attack(database_for("orders"), EXAMPLES) >= 15 * EXAMPLES


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_none_of_many_requests_makes_the_service_fail(database_for: Callable[[str], str]) -> None:
    assert attack(database_for("orders"), 500) >= 15 * 500
