"""Whatever customers, staff, the clock, payments and the broker do, in whatever order: stock and money add up."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from apps.orders import asking, leaving
from tests.store.orders.shop import Shop, open_shop, settings_from_environment
from tests.store.orders.till_model import Till
from tests.support.asgi import APP_TOKEN

T = TypeVar("T")
FIRST = 12
PRICE = 1999
AT_EASE = {"captured", "partly_refunded", "refunded"}
PICK = st.integers(min_value=0, max_value=1000)


class Journeys(RuleBasedStateMachine):
    """A few orders of one article, with payments as a model of it."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.shop: Shop = open_shop(self.url, settings_from_environment(), 2)
        self.sku = f"tea-{uuid4().hex[:8]}"
        self.run(self.shop.stock(**{self.sku: FIRST}))
        self.tills: dict[str, Till] = {}
        self.on_the_way: list[tuple[str, str, dict[str, Any]]] = []
        self.heard = ""
        self.heard = self.run(self._last())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _last(self) -> str:
        async with self.shop.database.transaction() as tx:
            return str(await tx.scalar(text("SELECT coalesce(max(id::text), '') FROM outbox")))

    def pick(self, number: int) -> dict[str, Any]:
        ids = sorted(self.tills)
        return self.tills[ids[number % len(ids)]].view

    def shown(self, view: dict[str, Any]) -> dict[str, Any]:
        return self.run(self.shop.shown(view["id"]))

    @precondition(lambda self: len(self.tills) < 4)
    @rule(quantity=st.integers(1, 5), manual=st.booleans())
    def place(self, quantity: int, manual: bool) -> None:
        reply = self.run(self.shop.place({self.sku: quantity}))
        assert reply.status in {201, 409}
        if reply.status == 201:
            self.tills[reply.json()["id"]] = Till(reply.json(), manual=manual)

    @precondition(lambda self: self.tills)
    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        assert self.run(self.shop.cancel(self.pick(number))).status in {202, 409}

    @rule()
    def expire(self) -> None:
        self.run(asyncio.sleep(0.002))
        self.run(leaving.expire_unpaid(self.shop.chassis))

    @precondition(lambda self: self.tills)
    @rule(number=PICK, quantity=st.integers(1, 5))
    def edit(self, number: int, quantity: int) -> None:
        view = self.shown(self.pick(number))
        reply = self.run(self.shop.edit(view, lines=[{"sku": self.sku, "quantity": quantity}]))
        assert reply.status in {200, 409}, reply.body

    @precondition(lambda self: self.tills)
    @rule(number=PICK, quantity=st.integers(1, 3))
    def ship(self, number: int, quantity: int) -> None:
        view = self.pick(number)
        reply = self.run(self.shop.ship(view, basket={self.sku: quantity}))
        assert reply.status in {201, 409}, reply.body
        if reply.status == 201:
            till = self.tills[view["id"]]
            assert till.kept + till.held >= reply.json()["total"]["amount"], "sent before its money was there"

    @precondition(lambda self: self.tills)
    @rule(number=PICK)
    def arrive(self, number: int) -> None:
        view = self.shown(self.pick(number))
        for parcel in view["shipments"][:1]:
            assert self.run(self.shop.deliver_parcel(view, parcel["id"])).status == 200

    @precondition(lambda self: self.tills)
    @rule(number=PICK, quantity=st.integers(1, 3))
    def come_back(self, number: int, quantity: int) -> None:
        reply = self.run(self.shop.take_back(self.pick(number), basket={self.sku: quantity}))
        assert reply.status in {201, 409}, reply.body

    @rule(refuse=st.booleans())
    def payments_acts(self, refuse: bool) -> None:
        self.run(self._hear())
        for id_, till in self.tills.items():
            if said := till.act(refuse=refuse):
                self.on_the_way.append((f"{id_}-{till.sequence}", *said))

    @precondition(lambda self: self.on_the_way)
    @rule(number=PICK, again=st.booleans())
    def a_fact_arrives(self, number: int, again: bool) -> None:
        at = number % len(self.on_the_way)
        event = self.on_the_way[at] if again else self.on_the_way.pop(at)
        self._deliver(event)

    def _deliver(self, event: tuple[str, str, dict[str, Any]]) -> None:
        id_, topic, fact = event
        self.run(self.shop.deliver((id_, fact), topic=topic))

    async def _hear(self) -> None:
        """Let payments hear what was published, in any order and some of it twice."""
        async with self.shop.database.transaction() as tx:
            rows = (await tx.execute(text("SELECT id::text, envelope FROM outbox WHERE id::text > :id ORDER BY id"),
                                     {"id": self.heard})).all()  # fmt: skip
        for row in [*reversed(rows), *rows[:1]]:
            envelope = orjson.loads(row.envelope)
            if till := self.tills.get(envelope["data"]["order_id"]):
                till.hear(envelope["topic"], envelope["data"])
        self.heard = max([self.heard, *(row.id for row in rows)])

    @invariant()
    def the_stock_adds_up(self) -> None:
        sold = 0
        for till in self.tills.values():
            view = self.shown(till.view)
            if view["status"] not in {"cancelled", "expired"}:
                sold += sum(line["quantity"] for line in view["lines"])
        assert self.run(self.shop.left(self.sku)) == FIRST - sold >= 0

    def teardown(self) -> None:
        try:
            self._come_to_rest()
            for till in self.tills.values():
                self._adds_up(till)
        finally:
            self.run(self.shop.database.close())
            self.runner.close()

    def _come_to_rest(self) -> None:
        """Nothing new is wished any more: what is on the way arrives, and who hears nothing asks."""
        for _ in range(6):
            self.payments_acts(refuse=False)
            while self.on_the_way:
                self._deliver(self.on_the_way.pop())
            self.shop.papers.payments = {id_: till.answer() for id_, till in self.tills.items()}
            self.run(asking.ask_about_waiting(self.shop.chassis))

    def _adds_up(self, till: Till) -> None:
        view = self.shown(till.view)
        left = view["status"] in {"cancelled", "expired"}
        returned = sum(back["refund"]["amount"] for back in view["returns"])
        if till.held:
            self._is_held(till, view)
            return
        assert till.kept == (0 if left else view["total"]["amount"] - returned), view
        assert view["refunded"]["amount"] == till.refunded
        assert view["total"]["amount"] == PRICE * sum(line["quantity"] for line in view["lines"])
        if not left:
            assert view["status"] != "placed"
            assert view["payment_status"] in AT_EASE, view
        elif till.captured:
            assert view["payment_status"] == "refunded", view
        else:
            assert view["payment_status"] != "authorised", view
        paid = self._times_told_paid(view)
        assert paid <= 1
        assert left or paid
        assert self.run(self.shop.count("dead_letters")) == 0

    def _is_held(self, till: Till, view: dict[str, Any]) -> None:
        """Nothing was sent: the money waits, all of it, and nobody was told that it was taken."""
        assert (view["status"], view["payment_status"]) == ("placed", "authorised"), view
        assert till.held >= view["total"]["amount"], view
        assert till.captured == view["refunded"]["amount"] == self._times_told_paid(view) == 0

    def _times_told_paid(self, view: dict[str, Any]) -> int:
        return sum(fact["order_id"] == view["id"] for fact in self.run(self.shop.told("order-paid")))


def walk(examples: int, steps: int, *, shrink: bool) -> None:
    # to find the shortest journey to a fault takes minutes, which make soak has
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(
        Journeys,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck),
            database=None,
            phases=phases,
        ),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def prepared(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("APP_PORT", "1"), ("APP_API_TOKEN", APP_TOKEN), ("ORDERS_ASK_AFTER", "PT0S"),
                        ("ORDERS_EXPIRE_AFTER", "PT0S")):  # fmt: skip
        monkeypatch.setenv(name, value)
    Journeys.url = database_for("orders")


def test_stock_and_money_add_up_after_any_journey() -> None:
    walk(examples=6, steps=25, shrink=False)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_stock_and_money_add_up_after_many_long_journeys() -> None:
    walk(examples=int(os.environ.get("SIDECART_SOAK_JOURNEYS", "300")), steps=60, shrink=True)
