"""The whole payments service on a real database; only its sidecar, its tokens and the processor are stood in for."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis.app import Chassis, create_app
from apps.chassis.auth import Principal
from apps.chassis.database import Database
from apps.chassis.outbox import Envelope
from apps.contracts.orders import OrderCancelled, OrderFact, OrderPlaced
from apps.payments import intake, store
from apps.payments.app import SERVICE
from apps.payments.payment import Payment
from apps.payments.settings import PaymentsSettings
from apps.payments.steps import is_pending
from apps.payments.worker import Worker
from tests.store.payments.till import Till, make_worker
from tests.support.asgi import Reply, call

DEADLINE_S = 60.0


class Badges:
    """Takes `role:id` for a token."""

    async def principal(self, authorization: str | None) -> Principal:
        role, _, person = (authorization or "").removeprefix("Bearer ").partition(":")
        return Principal(UUID(person), frozenset({role}), frozenset(), email_verified=True, session_id=None)


@dataclass
class Desk:
    """What the tests do with it."""

    database: Database
    till: Till
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_app(SERVICE, PaymentsSettings.load())
        unused: Any = None
        tokens: Any = Badges()
        chassis = Chassis(PaymentsSettings.load(), unused, self.database, self.database.codec, unused, tokens)
        chassis.extra = {"stripe": self.till, "checkout-com": self.till}
        self.app.state.chassis = chassis

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: UUID | None = None,
        role: str = "customer",
        key: str = "",
    ) -> Reply:
        headers = {"authorization": f"Bearer {role}:{who or uuid4()}", "idempotency-key": key or str(uuid4())}
        return await call(self.app, method, path, body, headers)

    async def place(self, *orders: OrderPlaced) -> None:
        async with self.database.transaction() as tx:
            await intake.claim(tx, orders)

    async def cancel(self, *orders: OrderCancelled) -> None:
        async with self.database.transaction() as tx:
            await intake.settle(tx, orders)

    async def hear(self, *facts: OrderFact) -> None:
        async with self.database.transaction() as tx:
            await intake.settle(tx, facts)

    async def payment(self, order_id: UUID) -> Payment:
        async with self.database.transaction() as tx:
            return await store.get_by_order(tx, order_id)

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return topic and data of all that is in the outbox."""
        async with self.database.transaction() as tx:
            rows = (await tx.execute(text("SELECT id, envelope FROM outbox ORDER BY id"))).all()
        opened = [Envelope.load(row.id, self.database.codec.open(row.envelope, f"outbox:{row.id}")) for row in rows]
        return [(each.topic, orjson.loads(each.data)) for each in opened]

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as tx:
            result = await tx.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []  # type: ignore[attr-defined]  # a CursorResult

    @asynccontextmanager
    async def working(self, *workers: Worker) -> AsyncGenerator[None]:
        """Let workers run meanwhile; without any named, one does."""
        tasks = [asyncio.create_task(each.run()) for each in workers or (make_worker(self.database, self.till),)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self, *orders: OrderPlaced) -> list[Payment]:
        """Work until nothing is pending for *orders*; return their payments."""
        async with self.working():
            await self.until(lambda: self._resting(orders))
        return [await self.payment(order.order_id) for order in orders]

    async def _resting(self, orders: tuple[OrderPlaced, ...]) -> bool:
        return not any([is_pending(await self.payment(order.order_id)) for order in orders])

    async def until(self, met: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not await met():
            assert time.monotonic() < deadline, f"it did not happen within {DEADLINE_S} s"
            await asyncio.sleep(0.01)
