"""The whole orders service on a real database; only its sidecar and the tokens are stood in for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import orjson
from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis.app import Chassis, create_app
from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database, engine_for
from apps.chassis.grouping import Group
from apps.chassis.settings import ServiceSettings
from apps.orders import checkout, running
from apps.orders.app import SERVICE
from apps.orders.settings import OrdersSettings
from tests.store.orders.outside import Badges, Papers
from tests.support.asgi import Reply, call

ANNA, BERT, CLERK = UUID(int=1), UUID(int=2), UUID(int=3)
ADDRESS = {"name": "Anna", "line1": "Weg 1", "city": "Bonn", "postal_code": "53111", "country": "DE"}


@dataclass
class Shop:
    """What the tests do with it."""

    app: FastAPI
    database: Database
    papers: Papers
    chassis: Chassis = field(init=False)

    def __post_init__(self) -> None:
        self.chassis = self.app.state.chassis

    async def call(
        self, method: str, path: str, body: Any = None, *,
        who: UUID = ANNA, role: str = "customer", key: str = "", match: Any = "",
    ) -> Reply:  # fmt: skip
        headers = {"authorization": f"Bearer {role}:{who}", "idempotency-key": key, "if-match": str(match)}
        return await call(self.app, method, path, body, headers)

    async def stock(self, **stocks: int | None) -> None:
        for sku, stock in stocks.items():
            article = {
                "name": f"The {sku}",
                "price": {"amount": 1999, "currency": "EUR"},
                "stock": stock,
                "active": True,
            }
            assert (await self.call("PUT", f"/products/{sku}", article, role="staff")).status == 200

    async def place(
        self, basket: Mapping[str, int] | None = None, *, who: UUID = ANNA, key: str = "", **quantities: int
    ) -> Reply:
        body = order({**(basket or {}), **quantities})
        return await self.call("POST", "/orders", body, who=who, key=key or str(uuid4()))

    async def placed(self, *, who: UUID = ANNA, **quantities: int) -> dict[str, Any]:
        reply = await self.place(quantities, who=who)
        assert reply.status == 201, reply.body
        view: dict[str, Any] = reply.json()
        return view

    async def shown(self, order_id: str, who: UUID = ANNA) -> dict[str, Any]:
        reply = await self.call("GET", f"/orders/{order_id}", who=who)
        assert reply.status == 200, reply.body
        view: dict[str, Any] = reply.json()
        return view

    async def paid(self, **quantities: int) -> dict[str, Any]:
        reply = await self.place(quantities)
        view: dict[str, Any] = reply.json()
        await self.capture(view)
        return await self.shown(view["id"])

    async def edit(self, view: dict[str, Any], *, match: Any = None, who: UUID = ANNA, **changes: Any) -> Reply:
        tag = f'"{view["revision"]}"' if match is None else match
        return await self.call("PATCH", f"/orders/{view['id']}", changes, who=who, match=tag)

    async def edited(self, view: dict[str, Any], **quantities: int) -> dict[str, Any]:
        """Give the order other lines; it is read anew first, as a client does."""
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        reply = await self.edit(await self.shown(view["id"]), lines=lines)
        assert reply.status == 200, reply.body
        changed: dict[str, Any] = reply.json()
        return changed

    async def ship(
        self, view: dict[str, Any], key: str = "", basket: Mapping[str, int] | None = None, **quantities: int
    ) -> Reply:
        quantities = {**(basket or {}), **quantities}
        body: dict[str, Any] = {"carrier": "DHL", "tracking_number": "00340"}
        if quantities:
            body["lines"] = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        path = f"/orders/{view['id']}/shipments"
        return await self.call("POST", path, body, role="staff", who=CLERK, key=key or str(uuid4()))

    async def deliver_parcel(self, view: dict[str, Any], shipment_id: str) -> Reply:
        path = f"/orders/{view['id']}/shipments/{shipment_id}/delivered"
        return await self.call("POST", path, role="staff", who=CLERK)

    async def take_back(
        self, view: dict[str, Any], key: str = "", basket: Mapping[str, int] | None = None, **quantities: int
    ) -> Reply:
        quantities = {**(basket or {}), **quantities}
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        body = {"lines": lines, "reason": "too small"}
        path = f"/orders/{view['id']}/returns"
        return await self.call("POST", path, body, role="staff", who=CLERK, key=key or str(uuid4()))

    async def cancel(self, view: dict[str, Any], key: str = "") -> Reply:
        return await self.call("POST", f"/orders/{view['id']}/cancel", key=key or str(uuid4()))

    async def tick(self) -> None:
        assert (await call(self.app, "POST", "/jobs/every-10s")).status == 200

    async def left(self, sku: str) -> int:
        reply = await self.call("GET", f"/products/{sku}")
        stock: int = reply.json()["stock"]
        return stock

    async def told(self, topic: str) -> list[dict[str, Any]]:
        """Return what the outbox holds on *topic*, oldest first."""
        async with self.database.transaction() as tx:
            stored = [orjson.loads(row) for row in await tx.scalars(text("SELECT envelope FROM outbox ORDER BY id"))]
        return [envelope["data"] for envelope in stored if envelope["topic"] == topic]

    async def count(self, table: str) -> int:
        async with self.database.transaction() as tx:
            number: int = (await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608
        return number

    async def deliver(self, *events: tuple[str, dict[str, Any]], topic: str) -> None:
        """Post a batch as the sidecar does; each event is its CloudEvent id and data."""
        entries = [
            {"entryId": str(n), "event": {"id": id_, "type": topic, "data": data}}
            for n, (id_, data) in enumerate(events)
        ]
        reply = await call(self.app, "POST", f"/events/{topic}", {"entries": entries})
        assert [item["status"] for item in reply.json()["statuses"]] == ["SUCCESS"] * len(events)

    async def capture(self, view: dict[str, Any], event_id: str = "") -> None:
        await self.deliver((event_id or f"captured-{view['id']}", capture(view)), topic="payment-captured")


def order(basket: Mapping[str, int] | None = None, *, note: str | None = None, **quantities: int) -> dict[str, Any]:
    wanted = {**(basket or {}), **quantities}
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in wanted.items()]
    return {"lines": lines, "shipping_address": ADDRESS, "payment_method": "pm_card_visa", "note": note}


def _fact(view: dict[str, Any], sequence: int) -> dict[str, Any]:
    return {"version": 1, "sequence": sequence, "payment_id": str(UUID(int=9)), "order_id": view["id"],
            "customer_id": view["customer_id"]}  # fmt: skip


def capture(view: dict[str, Any], amount: int | None = None, *, so_far: int | None = None) -> dict[str, Any]:
    money = view["total"] if amount is None else {"amount": amount, "currency": "EUR"}
    total = {} if so_far is None else {"captured": {"amount": so_far, "currency": "EUR"}}
    return _fact(view, 2) | {"amount": money, "captured_at": "2026-01-01T00:00:00Z"} | total


def authorise(view: dict[str, Any], amount: int | None = None, sequence: int = 1) -> dict[str, Any]:
    money = view["total"] if amount is None else {"amount": amount, "currency": "EUR"}
    return _fact(view, sequence) | {"amount": money, "authorised_at": "2026-01-01T00:00:00Z"}


def void(view: dict[str, Any], sequence: int = 2) -> dict[str, Any]:
    return _fact(view, sequence) | {"amount": view["total"], "voided_at": "2026-01-01T00:00:00Z"}


def decline(view: dict[str, Any], sequence: int = 1) -> dict[str, Any]:
    said = {"decline_code": "insufficient_funds", "advice": "try another card"}
    return _fact(view, sequence) | said | {"declined_at": "2026-01-01T00:00:00Z"}


def refund(view: dict[str, Any], so_far: int) -> dict[str, Any]:
    money = {"amount": so_far, "currency": "EUR"}
    when = {"refund_id": str(UUID(int=so_far)), "refunded_at": "2026-01-01T00:00:00Z"}
    return _fact(view, 3) | {"amount": money, "refunded": money} | when


def failure(view: dict[str, Any]) -> dict[str, Any]:
    return _fact(view, 4) | {
        "refund_id": str(UUID(int=5)),
        "amount": view["total"],
        "failed_at": "2026-01-01T00:00:00Z",
    }


def open_shop(url: str, settings: ServiceSettings, pool: int) -> Shop:
    database = Database(engine_for(url, pool), PlainCodec())
    app = create_app(SERVICE, settings)
    papers = Papers(database)
    absent: Any = None
    stands_in: Any = papers
    badges: Any = Badges()
    chassis = Chassis(settings, stands_in, database, PlainCodec(), absent, badges)
    chassis.extra = running.new(chassis)
    chassis.extra.checkout = Group(partial(checkout.place, chassis))
    app.state.chassis = chassis
    return Shop(app, database, papers)


def settings_from_environment() -> OrdersSettings:
    return OrdersSettings.load()
