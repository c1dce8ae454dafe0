from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

import pytest
from sqlalchemy import text

from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database, engine_for
from apps.chassis.outbox import Envelope
from apps.contracts.base import Event
from tests.support.postgres import Cluster


class Happened(Event):
    topic: ClassVar = "happened"
    aggregate: ClassVar = "name"

    name: str


class Followed(Happened):
    topic: ClassVar = "followed"


@dataclass
class Broker:
    """Keeps what is published, and refuses what it is told to."""

    published: list[Envelope] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    fail_topics: set[str] = field(default_factory=set)

    async def publish(self, pubsub: str, topic: str, envelopes: Sequence[Envelope]) -> set[UUID]:
        assert {(item.pubsub, item.topic) for item in envelopes} == {(pubsub, topic)}
        if topic in self.fail_topics:
            raise ConnectionError("the broker is away")
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
    yield Database(engine, PlainCodec())
    await engine.dispose()


async def count(database: Database, table: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608  # our own names
