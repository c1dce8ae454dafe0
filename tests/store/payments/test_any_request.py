"""Whatever is sent to any route, nothing of it is our fault: no 5xx, no answer that the description does not name."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.core import NotSet

from apps.chassis.database import Database, engine_for
from apps.payments.payment import Payment
from tests.store.payments.desk import Desk
from tests.store.payments.heard import placed
from tests.store.payments.till import Till, make_vault
from tests.support.any_request import invented, json_of, operations
from tests.support.asgi import APP_TOKEN, Reply, call

EXAMPLES = 1
OPERATIONS = 10
OURS = ("/payments", "/webhooks", "/ledger", "/reconciliations", "/dead-letters")


async def prepared(url: str) -> tuple[Desk, Payment]:
    desk = Desk(Database(engine_for(url, 2), make_vault()), Till())
    order = placed()
    await desk.place(order)
    (payment,) = await desk.settled(order)
    return desk, payment


async def send(desk: Desk, payment: Payment, case: Any, *, role: str, real: bool) -> Reply:
    """Send a case; *real* puts the payment that there is in the place of an invented id."""
    names, query = dict(case.path_parameters or {}), dict(case.query or {})
    if real:
        names |= {name: str(payment.id) for name in names.keys() & {"payment_id"}}
        query |= {name: str(payment.id) for name in query.keys() & {"payment_id"}}
    path = case.path
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    told = urlencode({k: v for k, v in query.items() if v is not None}, doseq=True)
    body = None if isinstance(case.body, NotSet) else json_of(case.body)
    headers = {"authorization": f"Bearer {role}:{who(payment)}", "idempotency-key": uuid4().hex}
    return await call(desk.app, case.method, f"{path}?{told}", body, headers)


def who(payment: Payment) -> UUID:
    return payment.customer_id


def attack(url: str, examples: int) -> int:
    """Send *examples* cases to each operation; return how many were answered."""
    answered = 0
    with asyncio.Runner() as runner:
        desk, payment = runner.run(prepared(url))
        try:
            for operation in operations(desk.app.openapi()):
                if operation.path.startswith(OURS):
                    answered += besiege(runner, desk, payment, operation, examples)
        finally:
            runner.run(desk.database.close())
    return answered


def besiege(runner: asyncio.Runner, desk: Desk, payment: Payment, operation: Any, examples: int) -> int:
    answered = 0
    named = {int(status) for status in operation.definition.raw["responses"]}

    @invented(examples)
    @given(
        case=operation.as_strategy(),
        role=st.sampled_from(["customer", "support", "staff", "admin"]),
        real=st.booleans(),
    )
    def one(case: Any, role: str, real: bool) -> None:
        nonlocal answered
        reply = runner.run(send(desk, payment, case, role=role, real=real))
        assert reply.status < 500, (case.method, case.path, case.body, reply.body)
        assert reply.status in named, (case.method, case.path, reply.status, reply.body)
        if reply.status >= 400:
            assert reply.headers["content-type"] == "application/problem+json", reply.body
        answered += 1

    one()
    return answered


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)


def test_no_request_that_the_description_allows_makes_payments_fail(database_for: Callable[[str], str]) -> None:
    assert attack(database_for("payments"), EXAMPLES) >= OPERATIONS * EXAMPLES


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_none_of_many_requests_makes_payments_fail(database_for: Callable[[str], str]) -> None:
    assert attack(database_for("payments"), 500) >= OPERATIONS * 500
