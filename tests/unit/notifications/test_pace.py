import asyncio
import time

from apps.notifications.pace import Pace


async def test_whoever_comes_alone_passes_at_once() -> None:
    pace = Pace(60)
    async with asyncio.timeout(1):
        await pace.turn()


async def test_who_follows_closely_waits_for_the_rest_of_the_time() -> None:
    pace = Pace(0.05)
    await pace.turn()
    began = time.monotonic()
    await pace.turn()
    assert time.monotonic() - began >= 0.04
