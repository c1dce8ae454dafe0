import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis import metrics
from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database, engine_for
from apps.chassis.serve import find
from tests.support.asgi import call
from tests.support.documents import SERVICES


def figures(body: bytes) -> dict[str, float]:
    """Return each series with its value."""
    lines = [line for line in body.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def told(app: FastAPI) -> dict[str, float]:
    reply = await call(app, "GET", "/internal/metrics", headers={"dapr-api-token": ""})
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return figures(reply.body)


async def test_what_waits_is_counted_and_its_age_told(app: FastAPI, database: Database) -> None:
    async with database.transaction() as tx:
        for moment in ("now() - interval '90 seconds'", "now()"):
            statement = f"INSERT INTO outbox (id, recorded_at, envelope) VALUES (uuidv7(), {moment}, '')"  # noqa: S608
            await tx.execute(text(statement))
        await tx.execute(text("INSERT INTO dead_letters (id, key, envelope) VALUES (uuidv7(), uuidv7(), '')"))
    found = await told(app)
    assert (found["sidecart_database_up"], found["sidecart_outbox_unpublished"]) == (1, 2)
    assert 90 <= found["sidecart_outbox_oldest_seconds"] < 120
    assert found["sidecart_dead_letters"] == 1
    assert found["process_resident_memory_bytes"] > 0


async def test_many_who_ask_cost_one_question(
    app: FastAPI, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await told(app)
    async with database.transaction() as tx:
        await tx.execute(text("INSERT INTO outbox (id, envelope) VALUES (uuidv7(), '')"))
    assert first["sidecart_outbox_unpublished"] == (await told(app))["sidecart_outbox_unpublished"] == 0
    monkeypatch.setattr(metrics, "_FRESH_S", 0)
    assert (await told(app))["sidecart_outbox_unpublished"] == 1


async def test_a_database_that_is_away_is_told_rather_than_failed_at(app: FastAPI, database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    found = await told(app)
    assert found["sidecart_database_up"] == 0
    assert "sidecart_outbox_unpublished" not in found


async def test_it_is_nobodys_through_a_sidecar(app: FastAPI) -> None:
    reply = await call(app, "GET", "/internal/metrics", headers={"dapr-caller-app-id": "edge"})
    assert reply.status == 403


@pytest.mark.parametrize("service", SERVICES)
async def test_each_services_figures_can_be_asked_by_the_role_that_serves(
    database_for: Callable[[str], str], service: str
) -> None:
    engine = engine_for(database_for(service))
    asked = await metrics.Figures(find(service).gauges).text(Database(engine, PlainCodec()))
    await engine.dispose()
    found = figures(asked)
    assert found["sidecart_database_up"] == 1
    names = {re.sub(r"\{.*", "", name) for name in found}
    labelled = {gauge.name for gauge in find(service).gauges if gauge.labels}
    assert {gauge.name for gauge in find(service).gauges} - labelled <= names
