from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from tests.support.shop import Customer, Shop
from tests.support.system import System


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The whole system, shared by the session; a test that breaks it starts one of its own."""
    with System() as running:
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)
