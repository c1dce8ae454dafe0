import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.load import buyers
from tests.support.shop import Customer, Shop
from tests.support.system import System

CUSTOMERS = 6


@pytest.fixture(scope="session")
def seconds() -> float:
    """How long each load lasts besides the time a process takes to come back; more for a soak."""
    return float(os.environ.get("SIDECART_CHAOS_SECONDS", "4"))


@pytest.fixture(scope="module")
def seams() -> Path | None:
    """Where seams are armed; a module that wants them overrides this."""
    return None


@pytest.fixture(scope="module")
def system(seams: Path | None) -> Iterator[System]:
    """A whole system of the module's own, which it may break as it likes."""
    with System(env={"SIDECART_SEAMS": str(seams)} if seams else None) as running:
        yield running


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    async with Shop(system) as client:
        yield client


@pytest.fixture(scope="module")
async def customers(system: System) -> list[Customer]:
    async with Shop(system) as client:
        return await buyers(client, CUSTOMERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/chaos/" in item.path.as_posix():
            item.add_marker(pytest.mark.chaos)
