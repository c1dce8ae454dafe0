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


async def test_many_at_once_take_as_many_places() -> None:
    throttle = Throttle(50)
    began = time.monotonic()
    await throttle.turn(4)
    await throttle.turn()
    assert time.monotonic() - began >= 4 / 50


def test_at_once_pass_no_more_than_a_moment_s_worth() -> None:
    assert [Throttle(rate).share(20) for rate in (0, 1_000, 50, 2)] == [20, 20, 5, 1]
