"""Whatever is sent to any route, nothing of it is our fault: no 5xx, and the description names every answer."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import orjson
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.core import NotSet

from apps.chassis.app import Chassis, create_app
from apps.chassis.auth import Principal
from apps.chassis.database import Database, engine_for
from apps.notifications.app import SERVICE
from apps.notifications.intake import Intake
from apps.notifications.links import Reader
from apps.notifications.office import Office, open_office
from apps.notifications.sealing import Sealer
from apps.notifications.settings import Settings
from tests.store.notifications.conftest import confirmations, customer, execute
from tests.store.notifications.fakes import FakeDocuments, FakeSidecar
from tests.support.any_request import invented, json_of, operations
from tests.support.asgi import APP_TOKEN, Reply, call

EXAMPLES = 2
ROUTES = 24
ANNA = UUID(int=1)
THEIRS = ("/dead-letters", "/healthz", "/readyz")
"""The chassis' own, which orders' test besieges as well."""


class Badges:
    """Takes a role for a token."""

    async def principal(self, authorization: str | None) -> Principal:
        role = (authorization or "").removeprefix("Bearer ")
        return Principal(ANNA, frozenset({role}), frozenset(), email_verified=True, session_id=None)


async def opened(url: str) -> tuple[FastAPI, dict[str, str]]:
    """Return the service with one undelivered message and one campaign in it, and what their ids are in its paths."""
    told = Settings.model_validate({"APP_PORT": 1, "APP_API_TOKEN": APP_TOKEN})
    database = Database(engine_for(url, 2), Sealer(bytes(32)))
    secrets = {"notifications-kek": "a secret", "notifications-receipts-secret": "another"}
    app, sidecar = create_app(SERVICE, told), cast(Any, FakeSidecar(secrets=secrets))
    chassis = Chassis(told, sidecar, database, database.codec, cast(Any, None), cast(Any, Badges()))
    chassis.documents = cast(Any, FakeDocuments())
    office: Office = await open_office(chassis, Intake())
    chassis.extra, app.state.chassis = office, chassis
    [message] = await confirmations(database, [await customer(database)])
    await execute(database, "UPDATE messages SET state = 'failed', failed_at = now(), due_at = NULL")
    asked = {"template": "announcement", "audience": {"user_ids": []}, "data": {"subject": "a", "text": "b"}}
    headers = {"authorization": "Bearer staff", "idempotency-key": "first"}
    made = (await call(app, "POST", "/campaigns", {**asked, "start": False}, headers)).json()
    token = office.links.unsubscribe(Reader(user_id=ANNA)).partition("token=")[2]
    return app, {
        "message_id": str(message),
        "campaign_id": made["id"],
        "name": "refund",
        "locale": "en",
        "token": token,
    }


async def send(app: FastAPI, case: Any, role: str, known: dict[str, str]) -> Reply:
    """Send a case; what is *known* takes the place of invented ids."""
    names = {**(case.path_parameters or {}), **{name: value for name, value in known.items() if name != "token"}}
    path = re.sub(r"\{(\w+)\}", lambda found: quote(str(names.get(found[1], "x")), safe=""), case.path)
    asked = {name: value for name, value in (case.query or {}).items() if value is not None}
    if "token" in asked and "token" in known:
        asked["token"] = known["token"]
    body = None if isinstance(case.body, NotSet) else json_of(case.body)
    headers = {"authorization": f"Bearer {role}", "idempotency-key": uuid4().hex, "dapr-caller-app-id": "orders"}
    return await call(app, case.method, f"{path}?{urlencode(asked, doseq=True)}", body, headers)


def check(reply: Reply, case: Any, answers: dict[str, Any]) -> None:
    shown = (case.method, case.path, case.path_parameters, case.query, case.body, reply.status, reply.body[:500])
    assert reply.status < 500, shown
    assert str(reply.status) in answers, shown
    kind = reply.headers.get("content-type", "").partition(";")[0]
    if reply.status >= 400:
        assert kind in {"application/problem+json", "text/html"}, shown
    elif kind == "application/json":
        orjson.loads(reply.body)


def attack(url: str, examples: int) -> set[str]:
    """Send *examples* cases to each operation; return the operations that were."""
    besieged: set[str] = set()
    with asyncio.Runner() as runner:
        app, known = runner.run(opened(url))
        described = app.openapi()
        try:
            for operation in operations(described):
                if operation.path in THEIRS or operation.path.startswith(THEIRS[0]):
                    continue
                answers = described["paths"][operation.path][operation.method]["responses"]
                besiege(runner, app, known, operation, answers, examples)
                besieged.add(f"{operation.method} {operation.path}")
        finally:
            runner.run(app.state.chassis.database.close())
    return besieged


def besiege(  # noqa: PLR0917
    runner: asyncio.Runner, app: FastAPI, known: dict[str, str], operation: Any, answers: dict[str, Any], examples: int
) -> None:
    @invented(examples)
    @given(
        case=operation.as_strategy(),
        role=st.sampled_from(["staff", "support", "admin", "customer"]),
        real=st.booleans(),
    )
    def one(case: Any, role: str, real: bool) -> None:
        check(runner.run(send(app, case, role, known if real else {})), case, answers)

    one()


def test_no_request_that_the_description_allows_makes_the_service_fail(database_for: Callable[[str], str]) -> None:
    assert len(attack(database_for("notifications"), EXAMPLES)) >= ROUTES


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_none_of_many_requests_makes_the_service_fail(database_for: Callable[[str], str]) -> None:
    assert len(attack(database_for("notifications"), 300)) >= ROUTES
