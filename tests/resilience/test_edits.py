"""A number edited in the running system counts within seconds; what that costs those who call meanwhile is counted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.support.hops import HOPS, Call, Hop
from tests.support.policies import SIDECARS, age, apply, by_hand, hasty, original, restarts, unscoped
from tests.support.proxies import Link
from tests.support.shop import Shop, until
from tests.support.system import System

EFFECT_S = 5.0
PATIENCE_S = 60.0
HASTY, HASTY_S = "200ms", 0.2
SLOW_S = 1.0
RATE = 50
BY_NAME = {hop.name: hop for hop in HOPS}


@pytest.mark.parametrize(("file", "hop"), [("messages", "sms"), ("card-processor", "card-processor")])
async def test_an_edited_timeout_counts_within_five_seconds(
    *,
    file: str,
    hop: str,
    system: System,
    links: dict[str, Link],
    session: aiohttp.ClientSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def ask() -> Call:
        return await BY_NAME[hop].call(system, session)

    with links[hop].slow(SLOW_S):
        patient = await ask()
        assert patient.ok, patient
        assert patient.took_s >= SLOW_S
        await asyncio.to_thread(apply, system, hasty(file, HASTY), tmp_path)
        try:
            while not cut_off(call := await ask()):
                assert age(system, file) < PATIENCE_S, f"the edit has no effect: {call}"
            took = age(system, file)
        finally:
            await asyncio.to_thread(system.sidecart, "apply", str(original(file)))
    await until(lambda: good(BY_NAME[hop], system, session), f"{hop} to answer again")
    with capsys.disabled():
        print(f"\n{file}: the edited timeout counted after {took:.1f} s")
    assert took <= EFFECT_S


def cut_off(call: Call) -> bool:
    """Tell whether the call ended by the new timeout: a runtime that restarts refuses it at once."""
    return not call.ok and not call.shed and HASTY_S <= call.took_s < SLOW_S


async def good(hop: Hop, system: System, session: aiohttp.ClientSession) -> bool | None:
    return True if (await hop.call(system, session)).ok else None


@dataclass
class Traffic:
    answered: int = 0
    failed: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def traffic(ask: Callable[[], Awaitable[int]]) -> AsyncIterator[Traffic]:
    """Ask *RATE* times a second until the block ends, each by itself."""
    count, stopped = Traffic(), asyncio.Event()

    async def one() -> None:
        try:
            status = await ask()
        except aiohttp.ClientError as error:
            count.failed.append(type(error).__name__)
            return
        count.answered += status == 200
        count.failed += [str(status)] if status != 200 else []

    async def pace() -> None:
        async with asyncio.TaskGroup() as asking:
            while not stopped.is_set():
                asking.create_task(one())
                await asyncio.sleep(1 / RATE)

    pacing = asyncio.create_task(pace())
    try:
        yield count
    finally:
        stopped.set()
        await pacing


async def settled(system: System, before: dict[str, int], expected: set[str]) -> None:
    """Wait until the runtimes expected have started anew and every process is ready."""

    async def done() -> bool | None:
        now = restarts(system)
        anew = {name for name in SIDECARS if now[name] > before[name]}
        return True if expected <= anew and all(it["ready"] for it in system.status().values()) else None

    await until(done, f"{', '.join(expected)} to have read the edit")


@pytest.mark.parametrize("scoped", [True, False], ids=["with scopes", "without"])
async def test_an_edit_costs_only_the_runtimes_that_it_names(
    scoped: bool, system: System, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = hasty("undelivered", "4s") if scoped else unscoped("undelivered")
    concerned = {"notifications-daprd"} if scoped else set(SIDECARS)
    await shop.put_product("tea-for-edits")

    async def ask() -> int:
        return (await shop.call("orders", "GET", "/products/tea-for-edits")).status

    before = restarts(system)
    async with traffic(ask) as count:
        await asyncio.to_thread(apply if scoped else by_hand, system, document, tmp_path)
        await settled(system, before, concerned)
        await asyncio.sleep(1)
    after = restarts(system)
    await asyncio.to_thread(system.sidecart, "apply", str(original("undelivered")))
    await settled(system, after, concerned)
    with capsys.disabled():
        print(f"\nan edit {'with' if scoped else 'without'} scopes: {len(count.failed)} of "
              f"{count.answered + len(count.failed)} requests failed {sorted(set(count.failed))}")  # fmt: skip
    assert {name for name in SIDECARS if after[name] > before[name]} == concerned
    assert count.answered > RATE
    if scoped:
        assert count.failed == []
