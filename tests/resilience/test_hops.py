"""Each hop made slow, mute and shut, all at the same time; what then happens is what its YAML says."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.support.hops import HOPS, Call, Hop
from tests.support.proxies import Link
from tests.support.rewiring import AppLink
from tests.support.shop import until
from tests.support.system import System

LATE_S = 0.3
# What a busy machine adds to a timeout.
SLACK_S = 6.0
AT_ONCE = 5
FEW = 10
NAMES = [hop.name for hop in HOPS]

Ask = Callable[[Hop], Awaitable[Call]]


@dataclass
class Story:
    """What became of one hop's calls."""

    slow: Call | None = None
    mute: Call | None = None
    after_mute: bool = False
    until_open: list[Call] = field(default_factory=list[Call])
    shed: list[Call] = field(default_factory=list[Call])
    closed: bool = False


@pytest.fixture(scope="module")
async def stories(
    system: System, links: dict[str, Link], users_app: AppLink, session: aiohttp.ClientSession
) -> dict[str, Story]:
    """Tell all of them together: most of each is waiting."""

    async def ask(hop: Hop) -> Call:
        return await hop.call(system, session)

    told = {name: Story() for name in NAMES}
    troubled: dict[str, Link | AppLink] = {**links, "users": users_app}
    with ExitStack() as trouble:
        for link in links.values():
            trouble.enter_context(link.slow(LATE_S))
        await each(lambda hop: slow(ask, hop, told[hop.name]))
    with ExitStack() as trouble:
        for way in troubled.values():
            trouble.enter_context(way.mute())
        await each(lambda hop: mute(ask, hop, told[hop.name]))
    await each(lambda hop: again(ask, hop, told[hop.name]))
    with ExitStack() as trouble:
        for way in troubled.values():
            trouble.enter_context(way.cut())
        await each(lambda hop: trip(ask, hop, told[hop.name]))
    await each(lambda hop: close(ask, hop, told[hop.name]))
    return told


async def each(do: Callable[[Hop], Awaitable[None]]) -> None:
    await asyncio.gather(*(do(hop) for hop in HOPS))


async def slow(ask: Ask, hop: Hop, story: Story) -> None:
    story.slow = await ask(hop)


async def mute(ask: Ask, hop: Hop, story: Story) -> None:
    story.mute = await ask(hop)


async def again(ask: Ask, hop: Hop, story: Story) -> None:
    """Wait for a good answer, which also ends the breaker's row of failures."""
    await until(lambda: good(ask, hop), f"{hop.name} to answer again")
    story.after_mute = True


async def good(ask: Ask, hop: Hop) -> bool | None:
    return True if (await ask(hop)).ok else None


async def trip(ask: Ask, hop: Hop, story: Story) -> None:
    """Call until the breaker is open, and then some more."""
    # calls that are under way together use up one another's failures, which shows where a few are enough
    width = 1 if hop.alone or hop.numbers.calls_to_trip < FEW else AT_ONCE
    while len(story.until_open) < 3 * hop.numbers.calls_to_trip + AT_ONCE:
        calls = await asyncio.gather(*(ask(hop) for _ in range(width)))
        story.until_open += [call for call in calls if not call.shed]
        if any(call.shed for call in calls):
            story.shed = [await ask(hop) for _ in range(3)]
            return


async def close(ask: Ask, hop: Hop, story: Story) -> None:
    deadline = hop.numbers.closed_after_s + 20
    await until(lambda: good(ask, hop), f"the breaker of {hop.name} to close", deadline)
    story.closed = (await ask(hop)).ok and (await ask(hop)).ok


@pytest.mark.parametrize("hop", HOPS, ids=NAMES)
def test_what_is_merely_slow_is_waited_for(hop: Hop, stories: dict[str, Story]) -> None:
    call = stories[hop.name].slow
    assert call
    assert call.ok, call
    assert call.took_s >= (LATE_S if hop.name != "users" else 0)


@pytest.mark.parametrize("hop", HOPS, ids=NAMES)
def test_what_never_answers_is_given_up_when_the_policy_says(hop: Hop, stories: dict[str, Story]) -> None:
    call = stories[hop.name].mute
    latest = hop.numbers.lasting_s(hop.numbers.timeout_s)
    # a connection that was ended when the link went mute costs a try, and no time
    earliest = hop.numbers.lasting_s(hop.gives_up_s or hop.numbers.timeout_s)
    if hop.numbers.tries > 1:
        earliest -= hop.gives_up_s or hop.numbers.timeout_s
    assert call
    assert not call.ok, call
    assert earliest * 0.95 <= call.took_s <= latest + SLACK_S, call
    assert stories[hop.name].after_mute


@pytest.mark.parametrize("hop", HOPS, ids=NAMES)
def test_the_breaker_opens_after_as_many_failures_as_the_policy_says(hop: Hop, stories: dict[str, Story]) -> None:
    failed = stories[hop.name].until_open
    assert not any(call.ok for call in failed)
    # calls under way together may each have failed a little too late to be the last
    assert hop.numbers.calls_to_trip - 1 <= len(failed) <= hop.numbers.calls_to_trip + AT_ONCE, len(failed)


@pytest.mark.parametrize("hop", HOPS, ids=NAMES)
def test_an_open_breaker_sheds_at_once(hop: Hop, stories: dict[str, Story]) -> None:
    shed = stories[hop.name].shed
    assert len(shed) == 3
    assert all(call.shed for call in shed), shed
    assert min(call.took_s for call in shed) < 0.5, shed


@pytest.mark.parametrize("hop", HOPS, ids=NAMES)
def test_the_breaker_closes_when_the_other_side_is_back(hop: Hop, stories: dict[str, Story]) -> None:
    assert stories[hop.name].closed
