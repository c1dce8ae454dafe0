import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text

from apps.chassis.app import Chassis
from apps.chassis.database import Database, engine_for
from apps.chassis.sidecar import Answer, Document, SidecarError
from apps.contracts.base import Event, Money
from apps.contracts.orders import Line, OrderPaid
from apps.contracts.users import UserChanged
from apps.notifications import letters, use_cases
from apps.notifications.intake import Intake
from apps.notifications.office import Office, feed, open_office, send
from apps.notifications.post_room import PostRoom
from apps.notifications.sealing import Sealer
from apps.notifications.settings import Settings

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
class FakeSidecar:
    """Keeps what is sent through it, notes how many calls run at once, and can be told to fail or to hang."""

    sent: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    down: dict[str, Exception] = field(default_factory=dict)
    components: set[str] = field(default_factory=lambda: {"email", "email-2", "sms", "push"})
    tried: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=lambda: {"notifications-kek": "a secret"})
    known: dict[UUID, UserChanged] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    users_error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[str, int] = field(default_factory=dict)
    most_at_once: int = 0
    lists: bool = True
    """Whether its mail components know lists, as our own do."""
    list_errors: list[Exception] = field(default_factory=list)
    begins: int | None = None
    """How many mails of a list it begins, where it is slow."""
    together: list[int] = field(default_factory=list)
    """How many mails each list held that it took."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def bind(self, name: str, operation: str, data: Any, metadata: dict[str, str]) -> bytes:
        assert operation == "create"
        self.tried.append(name)
        self.running[name] = self.running.get(name, 0) + 1
        self.most_at_once = max(self.most_at_once, self.running[name])
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            if name not in self.components:
                raise SidecarError(f"binding {name}: couldn't find output binding {name}")
            if name in self.down:
                raise self.down[name]
            if self.errors:
                raise self.errors.pop(0)
            self.sent.append((name, metadata, data))
            return b""
        finally:
            self.running[name] -= 1

    async def bind_bytes(self, name: str, operation: str, data: bytes) -> bytes:
        assert operation == "createMany"
        if name in self.components and not self.lists:
            raise SidecarError(f"binding {name}: binding {name} does not support operation {operation}")
        if self.list_errors:
            raise self.list_errors.pop(0)
        calls = orjson.loads(data)
        answers = ["not begun"] * len(calls)
        for place, call in enumerate(calls[: self.begins]):
            try:
                await self.bind(name, "create", **call)
                answers[place] = ""
            except SidecarError as error:
                answers[place] = str(error)
        self.together.append(len(calls))
        return orjson.dumps(answers)

    async def invoke(self, app_id: str, method: str, path: str, *, query: dict[str, str]) -> Answer:
        assert (app_id, method, path) == ("users", "GET", "/internal/users/contact")
        if self.users_error:
            raise self.users_error
        found = self.known.get(UUID(query["id"]))
        return Answer(200, found.model_dump_json().encode()) if found else Answer(404, orjson.dumps({}))

    async def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise SidecarError(f"secret {name} cannot be read")
        return self.secrets[name]

    @property
    def recipients(self) -> list[str]:
        return [metadata["emailTo"] for _, metadata, _ in self.sent]


@dataclass
class FakeDocuments:
    """A state store in memory that can be away."""

    kept: dict[str, bytes] = field(default_factory=dict)
    ttl_s: int | None = None
    away: bool = False

    async def put(self, component: str, documents: Mapping[str, bytes], ttl_s: int | None = None) -> None:
        assert component == "undelivered"
        if self.away:
            raise SidecarError("writing to undelivered failed")
        self.ttl_s = ttl_s
        self.kept |= documents

    async def read(self, component: str, keys: Sequence[str]) -> dict[str, Document]:
        assert component == "undelivered"
        return {key: Document(self.kept[key], "1") for key in keys if key in self.kept}

    async def remove(self, component: str, keys: Sequence[str]) -> None:
        assert component == "undelivered"
        for key in keys:
            self.kept.pop(key, None)


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
