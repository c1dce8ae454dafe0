"""While a release is rolled out, this one works on the tables before it, back to the step that it cannot do without."""

from collections.abc import AsyncIterator, Iterable

import pytest

from apps.chassis import migrate
from apps.orders import asking, intents, leaving
from tests.store.orders.mortal import NOW
from tests.store.orders.shop import BERT, CLERK, Shop, capture, open_shop, refund, settings_from_environment
from tests.store.orders.till_model import Till
from tests.support.asgi import APP_TOKEN
from tests.support.postgres import Cluster

# Indexes and the table of writers may come later. Parcels, returns and sums of money may not: 0004 goes first.
MAY_COME_LATER = ["0004", "0005"]


@pytest.fixture(params=MAY_COME_LATER)
async def shop(
    request: pytest.FixtureRequest, postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    for name, value in (("APP_PORT", "1"), ("APP_API_TOKEN", APP_TOKEN), ("ORDERS_ASK_AFTER", "PT0S"),
                        ("ORDERS_EXPIRE_AFTER", "PT0S")):  # fmt: skip
        monkeypatch.setenv(name, value)
    shop = open_shop(postgres_cluster.database_for("orders", request.param), settings_from_environment(), 2)
    await shop.stock(tea=100)
    yield shop
    await shop.database.close()


def migrated(shop: Shop, cluster: Cluster) -> None:
    """Bring the tables up to date under the service's feet."""
    database = shop.database.engine.url.database
    assert database
    migrate.upgrade("orders", cluster.url("orders_owner", database))


async def live(shop: Shop) -> None:
    """Do everything once that customers, staff, payments and the clock do."""
    view = await shop.paid(tea=2)
    view = await shop.edited(view, tea=3)
    await shop.deliver((f"d-{view['id']}", capture(view, 1999, so_far=3 * 1999)), topic="payment-captured")
    parcel = (await shop.ship(view)).json()["shipments"][0]["id"]
    assert (await shop.deliver_parcel(view, parcel)).status == 200
    assert (await shop.take_back(view, tea=1)).json()["status"] == "partly_returned"
    await shop.deliver((f"r-{view['id']}", refund(view, 1999)), topic="payment-refunded")
    off, late, asked = [await shop.placed(tea=1) for _ in range(3)]
    assert (await shop.cancel(off)).status == 202
    shop.papers.payments = {asked["id"]: Till(asked, captured=1999, price=1999).answer()}
    await asking.ask_about_waiting(shop.chassis)
    await leaving.expire_unpaid(shop.chassis)
    await intents.sweep(shop.chassis, NOW, 100)
    found = [await statuses(shop, one["id"]) for one in (view, off, late, asked)]
    assert found == ["partly_returned", "cancelled", "expired", "paid"]
    for query in (f"number={view['number']}", "status=expired", "status=paid"):
        assert (await shop.call("GET", f"/orders?{query}", who=CLERK, role="staff")).json()["items"], query
    assert (await shop.call("GET", f"/orders/{view['id']}", who=BERT)).status == 404
    assert await shop.count("dead_letters") == 0


async def statuses(shop: Shop, order_id: str) -> str:
    status: str = (await shop.shown(order_id))["status"]
    return status


async def test_this_release_works_on_the_tables_before_and_as_they_come_up_to_date(
    shop: Shop, postgres_cluster: Cluster
) -> None:
    await live(shop)
    before = await ids(shop)
    migrated(shop, postgres_cluster)
    await live(shop)
    assert set(before) < set(await ids(shop))


async def ids(shop: Shop) -> Iterable[str]:
    reply = await shop.call("GET", "/orders?limit=100")
    return [item["id"] for item in reply.json()["items"]]
