"""What a death may come in the middle of: each scene makes ready, and returns what is to be done then."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tests.store.orders.shop import CLERK, Shop, capture, decline, order, refund
from tests.store.orders.till_model import Till

Act = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """Where one life is lived: its own article, its own customer."""

    shop: Shop
    sku: str
    who: UUID

    async def placed(self) -> dict[str, Any]:
        return await self.shop.placed(who=self.who, **{self.sku: 2})

    async def paid(self) -> dict[str, Any]:
        view = await self.placed()
        await self.shop.capture(view)
        return await self.shop.shown(view["id"], self.who)

    async def sent(self) -> dict[str, Any]:
        reply = await self.shop.ship(await self.paid())
        view: dict[str, Any] = reply.json()
        return view

    def post(self, path: str, body: Any = None, **more: Any) -> Act:
        return {"method": "POST", "path": path, "body": body, "who": str(self.who), "key": f"k{self.who}"} | more

    def staff(self, path: str, body: Any = None) -> Act:
        return self.post(path, body, who=str(CLERK), role="staff")

    def pieces(self, quantity: int) -> list[dict[str, Any]]:
        return [{"sku": self.sku, "quantity": quantity}]


async def place(stage: Stage) -> Act:
    return stage.post("/orders", order({stage.sku: 2}))


async def cancel(stage: Stage) -> Act:
    return stage.post(f"/orders/{(await stage.paid())['id']}/cancel", {"reason": "changed my mind"})


async def edit(stage: Stage) -> Act:
    view = await stage.paid()
    lines = {"lines": stage.pieces(3), "note": "ring twice"}
    return stage.post(f"/orders/{view['id']}", lines, method="PATCH", match=f'"{view["revision"]}"')


async def ship(stage: Stage) -> Act:
    body = {"carrier": "DHL", "tracking_number": "00340", "lines": stage.pieces(1)}
    return stage.staff(f"/orders/{(await stage.paid())['id']}/shipments", body)


async def arrive(stage: Stage) -> Act:
    view = await stage.sent()
    return stage.staff(f"/orders/{view['id']}/shipments/{view['shipments'][0]['id']}/delivered")


async def come_back(stage: Stage) -> Act:
    body = {"lines": stage.pieces(1), "reason": "too small"}
    return stage.staff(f"/orders/{(await stage.sent())['id']}/returns", body)


def _event(stage: Stage, topic: str, fact: dict[str, Any]) -> Act:
    return {"topic": topic, "id": f"e{stage.who}", "fact": fact}


async def be_paid(stage: Stage) -> Act:
    return _event(stage, "payment-captured", capture(await stage.placed()))


async def be_declined(stage: Stage) -> Act:
    return _event(stage, "payment-declined", decline(await stage.placed()))


async def be_refunded(stage: Stage) -> Act:
    view = await stage.paid()
    await stage.shop.call("POST", f"/orders/{view['id']}/cancel", who=stage.who, key="c")
    return _event(stage, "payment-refunded", refund(view, view["total"]["amount"]))


async def expire(stage: Stage) -> Act:
    await stage.placed()
    return {"job": "expire"}


async def ask(stage: Stage) -> Act:
    view = await stage.placed()
    price = view["total"]["amount"]
    answer = Till(view, captured=price, price=price).answer().body.decode()
    return {"job": "ask", "payments": {view["id"]: answer}}


async def sweep(stage: Stage) -> Act:
    """An edit leaves its former document to the sweeper."""
    view = await stage.placed()
    reply = await stage.shop.edit(view, who=stage.who, note="new")
    assert reply.status == 200
    return {"job": "sweep"}


Scene = Callable[[Stage], Awaitable[Act]]
# who asks, asks about all that others left waiting: so it comes first
FEW: Final[list[Scene]] = [ask, place, edit, be_paid, sweep]
SCENES: Final = [*FEW, ship, cancel, arrive, come_back, be_declined, be_refunded, expire]
