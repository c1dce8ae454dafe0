from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.support.collector import Collector
from tests.support.shop import Customer, Shop
from tests.support.system import System


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the spans of the shared system go: of those requests alone whose client asks for it."""
    with Collector() as taking:
        yield taking


@pytest.fixture(scope="session")
def system(collector: Collector) -> Iterator[System]:
    """The whole system, shared by the session; a test that breaks it starts one of its own."""
    with System(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "0"}) as running:
        yield running


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    async with Shop(system) as client:
        yield client


@pytest.fixture
async def customer(shop: Shop) -> Customer:
    return await shop.register()


@pytest.fixture
async def sku(shop: Shop) -> str:
    """A product of this test alone, in unlimited supply, at 19.99 euro."""
    name = f"tea-{uuid4().hex[:8]}"
    await shop.put_product(name)
    return name


STOCK = 7


@pytest.fixture
async def scarce(shop: Shop) -> str:
    """A product of this test alone, of which there are seven."""
    name = f"few-{uuid4().hex[:8]}"
    await shop.put_product(name, stock=STOCK)
    return name


@pytest.fixture
async def nothing_written(shop: Shop, customer: Customer, scarce: str) -> AsyncIterator[None]:
    """After the test the customer has no order, and the stock is what it was."""
    yield
    orders = await shop.call("orders", "GET", "/orders", token=customer.token)
    assert orders.body["items"] == []
    assert (await shop.call("orders", "GET", f"/products/{scarce}")).body["stock"] == STOCK


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)
