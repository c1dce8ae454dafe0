import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from apps.chassis.app import Chassis
from apps.chassis.database import Database, engine_for
from apps.contracts.base import Event, Money
from apps.contracts.orders import Line, OrderPaid
from apps.contracts.users import UserChanged
from apps.notifications import letters, use_cases
from apps.notifications.intake import Intake
from apps.notifications.office import Office, feed, open_office, send
from apps.notifications.post_room import PostRoom
from apps.notifications.sealing import Sealer
from apps.notifications.settings import Settings
from tests.store.notifications.fakes import FakeDocuments, FakeSidecar

DEADLINE_S = 60.0
LEASE = timedelta(seconds=30)


@pytest.fixture
async def database(database_for: Callable[[str], str]) -> AsyncIterator[Database]:
    opened = Database(engine_for(database_for("notifications"), 8), Sealer(bytes(32)))
    yield opened
    await opened.close()


def order_paid(customer: UUID | None = None, number: str = "A-1") -> OrderPaid:
    price = Money(amount=1999, currency="EUR")
    return OrderPaid(
        order_id=uuid4(),
        customer_id=customer or uuid4(),
        number=number,
        sequence=2,
        total=price,
        lines=(Line(sku="mug", name="Mug", quantity=1, unit_price=price),),
        paid_at=datetime.now(UTC),
    )


def contact(user_id: UUID, sequence: int = 1, **changes: Any) -> UserChanged:
    told = {"email": f"{user_id}@example.org", "name": "Ann", "phone": None, "locale": "en", "timezone": "UTC"}
    return UserChanged.model_validate({"user_id": user_id, "sequence": sequence, **told, **changes})


async def rows(database: Database, statement: str, **parameters: Any) -> list[dict[str, Any]]:
    async with database.transaction() as tx:
        return [dict(row) for row in (await tx.execute(text(statement), parameters)).mappings()]


async def execute(database: Database, statement: str, **parameters: Any) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement), parameters)


async def states(database: Database) -> list[str]:
    return [row["state"] for row in await rows(database, "SELECT state FROM messages ORDER BY id")]


async def until(met: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not await met():
        assert time.monotonic() < deadline, f"within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.01)


@dataclass
class Process:
    """One running process of the service, without its HTTP side."""

    office: Office
    intake: Intake
    tasks: list[asyncio.Task[None]]
    chassis: Chassis

    @property
    def room(self) -> PostRoom:
        return self.office.room

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)


@asynccontextmanager
async def running(
    database: Database,
    sidecar: FakeSidecar,
    *,
    port: int = 8004,
    documents: FakeDocuments | None = None,
    **told: Any,
) -> AsyncGenerator[Process]:
    """Run the senders as the app does; stopped in order at the end unless that has happened."""
    settings = Settings.model_validate({"APP_PORT": port, "APP_API_TOKEN": "x" * 16, "lease": LEASE, **told})
    intake = Intake()
    kept = documents or FakeDocuments()
    parts = SimpleNamespace(settings=settings, sidecar=sidecar, database=database, documents=kept, extra=None)
    chassis = cast(Chassis, parts)
    chassis.extra = await open_office(chassis, intake)
    tasks = [asyncio.create_task(part(chassis)) for part in (send, feed)]
    process = Process(chassis.extra, intake, tasks, chassis)
    try:
        yield process
    finally:
        sidecar.gate.set()
        await process.stop()


async def customer(database: Database, **changes: Any) -> UUID:
    user = uuid4()
    async with database.transaction() as tx:
        await use_cases.keep_contacts(tx, [contact(user, **changes)])
    return user


async def confirmations(database: Database, customers: list[UUID]) -> list[UUID]:
    events = [order_paid(user, f"A-{number}") for number, user in enumerate(customers)]
    causes: list[Event] = list(events)
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letters.about_order(event, "order-confirmation") for event in events], causes)
    return [row["id"] for row in await rows(database, "SELECT id FROM messages ORDER BY id")]


async def all_in(database: Database, *expected: str) -> None:
    async def met() -> bool:
        found = await states(database)
        return bool(found) and set(found) <= set(expected)

    await until(met, f"every message is {expected}")


async def make_due(database: Database) -> None:
    await execute(database, "UPDATE messages SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL")


async def fact_is(fact: bool) -> bool:
    return fact


async def holds(process: Process, count: int) -> bool:
    return len(process.room._leased_until) == count
