import asyncio
from collections.abc import Sequence

import pytest

from apps.chassis.grouping import Group
from apps.chassis.problems import ProblemError
from apps.chassis.sidecar import SidecarError


class Counter:
    """Doubles numbers; fails for thirteen, alone or in company, and for all while it is away."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        await self.gate.wait()
        if self.away:
            raise SidecarError("away")
        if 13 in items:
            raise ValueError("thirteen")
        return [KeyError(item) if item < 0 else item * 2 for item in items]


async def test_one_alone_is_served_at_once() -> None:
    counter = Counter()
    assert await Group(counter).submit(1) == 2
    assert counter.groups == [[1]]


async def test_who_waits_meanwhile_is_served_together_and_in_order() -> None:
    counter = Counter()
    group = Group(counter, most=3)
    counter.gate.clear()
    asks = [asyncio.create_task(group.submit(number)) for number in range(6)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    counter.gate.set()
    assert await asyncio.gather(*asks) == [0, 2, 4, 6, 8, 10]
    assert all(len(served) <= 3 for served in counter.groups)
    assert len(counter.groups) < 6


async def test_each_gets_its_own_error() -> None:
    answers = await asyncio.gather(*map(Group(Counter()).submit, [1, -1, 2]), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], KeyError)


async def test_one_that_breaks_the_group_does_not_break_its_neighbours() -> None:
    counter = Counter()
    answers = await asyncio.gather(*map(Group(counter).submit, [1, 13, 2]), return_exceptions=True)
    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], ValueError)
    assert counter.groups == [[1, 13, 2], [1], [13], [2]]


async def test_an_outage_is_told_to_all_without_trying_each() -> None:
    counter = Counter()
    counter.away = True
    answers = await asyncio.gather(*map(Group(counter).submit, [1, 2]), return_exceptions=True)
    assert [type(answer) for answer in answers] == [SidecarError, SidecarError]
    assert counter.groups == [[1, 2]]


async def test_too_many_are_sent_away_rather_than_kept() -> None:
    counter = Counter()
    counter.gate.clear()
    group = Group(counter, most=1, waiting=2)
    asks = [asyncio.create_task(group.submit(number)) for number in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError):
        await group.submit(9)
    counter.gate.set()
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert 0 in answers


async def test_who_hung_up_does_not_stop_the_others() -> None:
    counter = Counter()
    counter.gate.clear()
    group = Group(counter, most=1)
    first, second, third = (asyncio.create_task(group.submit(number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    second.cancel()
    counter.gate.set()
    assert (await first, await third) == (2, 6)
    assert [2] not in counter.groups
