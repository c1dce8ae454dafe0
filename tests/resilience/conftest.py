import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import pytest

from tests.support.hops import HOPS, Call, Hop
from tests.support.proxies import Link, Proxies
from tests.support.rewiring import AppLink, rewire
from tests.support.shop import Shop, until
from tests.support.system import System

PATIENCE_S = 90


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """A whole system whose every way out leads through a proxy once `links` are there."""
    with System() as running:
        yield running


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as client:
        yield client


@pytest.fixture(scope="session")
async def links(
    system: System, session: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Link]]:
    """The proxied links by the name of their component, each seen to carry its hop's calls."""

    async def ask(hop: Hop) -> Call:
        return await hop.call(system, session)

    with Proxies() as proxies:
        found = rewire(system, proxies, tmp_path_factory.mktemp("rewired"))
        await asyncio.gather(*(leads_through(hop, found[hop.name], ask) for hop in HOPS if hop.name in found))
        yield found


async def leads_through(hop: Hop, link: Link, ask: Callable[[Hop], Awaitable[Call]]) -> None:
    """Wait until a call succeeds and fails with the state of its link."""

    async def depends() -> bool | None:
        with link.cut():
            if (await ask(hop)).ok:
                return None
        return True

    async def mended() -> bool | None:
        return True if (await ask(hop)).ok else None

    await until(depends, f"{hop.name} to lead through its proxy", every_s=0.5)
    await until(mended, f"{hop.name} to be well again")


@pytest.fixture(scope="session")
def users_app(system: System) -> AppLink:
    return AppLink(system, "users")


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    async with Shop(system) as client:
        yield client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/resilience/" in item.path.as_posix():
            item.add_marker(pytest.mark.resilience)
