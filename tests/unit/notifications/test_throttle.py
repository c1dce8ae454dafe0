import asyncio
import time

from apps.notifications.throttle import Throttle


async def test_so_many_a_second_pass_all_lanes_together() -> None:
    throttle = Throttle(50)
    began = time.monotonic()
    await asyncio.gather(*(throttle.turn() for _ in range(6)))
    assert time.monotonic() - began >= 5 / 50


async def test_no_rate_is_no_limit() -> None:
    throttle = Throttle(0)
    began = time.monotonic()
    await asyncio.gather(*(throttle.turn() for _ in range(10_000)))
    assert time.monotonic() - began < 5
