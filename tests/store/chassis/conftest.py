import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis import inbox
from apps.chassis.app import Chassis, create_app
from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database, engine_for
from apps.chassis.outbox import Envelope
from tests.store.chassis.things import Chance, NoTokens, Settings, service
from tests.support.asgi import APP_TOKEN
from tests.support.postgres import Cluster


@dataclass
class Broker:
    """Keeps what is published, and refuses what it is told to."""

    published: list[Envelope] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    fail_topics: set[str] = field(default_factory=set)
    hangs: set[str] = field(default_factory=set)
    """Topics that nothing is answered about until they are no longer in here."""

    async def publish(self, pubsub: str, topic: str, envelopes: Sequence[Envelope]) -> set[UUID]:
        assert {(item.pubsub, item.topic) for item in envelopes} == {(pubsub, topic)}
        if topic in self.fail_topics:
            raise ConnectionError("the broker is away")
        while topic in self.hangs:
            await asyncio.sleep(0.01)
        rejected = {item.id for item in envelopes if item.key in self.refuse}
        self.published += [item for item in envelopes if item.id not in rejected]
        return rejected


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def database(postgres_cluster: Cluster) -> AsyncIterator[Database]:
    """A database with the chassis' tables and one more, where handlers leave their effects."""
    engine = engine_for(postgres_cluster.bare_database(), pool_size=10)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE effects (name text NOT NULL)"))
    opened = Database(engine, PlainCodec())
    yield opened
    await opened.close()


async def count(database: Database, table: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608  # our own names


@pytest.fixture
def chance() -> Chance:
    return Chance()


@pytest.fixture
async def app(database: Database, chance: Chance, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The tests' own service, on the real database and without a sidecar."""
    monkeypatch.setattr(inbox, "RETRY_DELAYS_S", (0.001,))
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)
    app = create_app(service(chance), Settings.load())
    nothing: Any = None
    app.state.chassis = Chassis(nothing, nothing, database, PlainCodec(), nothing, NoTokens())  # type: ignore[arg-type]
    return app
