"""From the edge to a service, and from service to service: slow, mute, and edited while requests come in."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.resilience.test_edits import EFFECT_S, HASTY, HASTY_S, PATIENCE_S, SLOW_S, cut_off, traffic
from tests.support.between import Detour, detour
from tests.support.hops import HOPS, Call
from tests.support.policies import age, apply, hasty, original
from tests.support.proxies import Proxies
from tests.support.shop import until
from tests.support.system import System

SLACK_S = 6.0
BY_NAME = {hop.name: hop for hop in HOPS}


@dataclass(frozen=True)
class Way:
    """How one sidecar calls another, and the file that says what then holds."""

    callee: str
    file: str
    ask: Callable[[System, aiohttp.ClientSession], Awaitable[Call]]


async def from_the_edge(system: System, session: aiohttp.ClientSession) -> Call:
    began = time.monotonic()
    try:
        async with session.get(system.invoke_url("orders", "/healthz")) as answer:
            return Call(answer.status == 200, time.monotonic() - began, await answer.text())
    except aiohttp.ClientConnectionError as error:
        return Call(ok=False, took_s=time.monotonic() - began, text=repr(error))


async def from_orders(system: System, session: aiohttp.ClientSession) -> Call:
    return await BY_NAME["users"].call(system, session)


WAYS = [Way("orders", "edge", from_the_edge), Way("users", "services", from_orders)]


@pytest.fixture(params=WAYS, ids=["edge to orders", "orders to users"])
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def around(system: System, way: Way) -> Iterator[Detour]:
    with Proxies() as proxies, detour(system, proxies, way.callee) as found:
        yield found


async def well(way: Way, system: System, session: aiohttp.ClientSession) -> None:
    async def good() -> bool | None:
        return True if (await way.ask(system, session)).ok else None

    await until(good, f"{way.callee} to answer", 60)


async def test_a_slow_way_is_waited_for(
    way: Way, around: Detour, system: System, session: aiohttp.ClientSession
) -> None:
    await well(way, system, session)
    with around.link.slow(SLOW_S):
        call = await way.ask(system, session)
    assert call.ok, call
    assert call.took_s >= SLOW_S


async def test_an_edit_counts_within_seconds_on_a_slow_way_under_traffic(
    *,
    way: Way,
    around: Detour,
    system: System,
    session: aiohttp.ClientSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await well(way, system, session)

    async def status() -> int:
        return 200 if (await way.ask(system, session)).ok else 500

    async with traffic(status) as count:
        with around.link.slow(SLOW_S):
            await asyncio.to_thread(apply, system, hasty(way.file, HASTY), tmp_path)
            while not cut_off(call := await way.ask(system, session)):
                # a runtime that has started anew has entered itself once more
                await asyncio.to_thread(around.lead)
                assert age(system, way.file) < PATIENCE_S, f"the edit has no effect: {call}"
            took = age(system, way.file)
        await asyncio.to_thread(system.sidecart, "apply", str(original(way.file)))
        await well(way, system, session)
    with capsys.disabled():
        print(f"\n{way.file}: the edited timeout of {HASTY_S} s counted after {took:.1f} s; "
              f"{count.answered} calls answered, {len(count.failed)} cut off or refused")  # fmt: skip
    assert took <= EFFECT_S
    assert count.answered > 0


async def test_a_service_that_never_answers_another_is_given_up_when_the_policy_says(
    system: System, session: aiohttp.ClientSession
) -> None:
    way, hop = WAYS[1], BY_NAME["users"]
    with Proxies() as proxies, detour(system, proxies, way.callee) as around:
        await well(way, system, session)
        with around.link.mute(anew=False):
            call = await way.ask(system, session)
        latest = hop.numbers.lasting_s(hop.numbers.timeout_s)
        assert not call.ok, call
        assert latest * 0.95 <= call.took_s <= latest + SLACK_S, call
        await well(way, system, session)
