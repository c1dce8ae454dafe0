"""The mail server goes away in the middle of many mails: all arrive afterwards, none twice, and figures tell why."""

import asyncio
import os
import re
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.support.post import BATCH, batches, mails_after, newest_mail, paid, people, publish
from tests.support.shop import Shop, until
from tests.support.system import System

MAILS = int(os.environ.get("SIDECART_AWAY_MAILS", "10000"))
AWAY_S = float(os.environ.get("SIDECART_AWAY_SECONDS", "300"))
# What failed last waits about as long once more as the server was away, and half of that by chance.
ALL_THERE_WITHIN_S = 120 + 2 * AWAY_S


@dataclass
class Watch:
    """What an operator's figures said, second by second."""

    waiting: list[float] = field(default_factory=list)
    undelivered: list[float] = field(default_factory=list)
    breakers: list[bool] = field(default_factory=list)
    unseen: int = 0
    """How often the figures could not be read."""

    async def look(self, system: System) -> None:
        try:
            own = await asyncio.to_thread(read, system, 8004, "/internal/metrics")
            sidecar = await asyncio.to_thread(read, system, 9504, "/")
        except OSError:
            self.unseen += 1
            return
        self.waiting.append(figure(own, "sidecart_messages_waiting"))
        self.undelivered.append(figure(own, "sidecart_undelivered"))
        self.breakers.append(is_open(sidecar))

    async def keep_looking(self, system: System) -> None:
        while True:
            await self.look(system)
            await asyncio.sleep(1)


def read(system: System, port: int, path: str) -> str:
    told = {"dapr-api-token": system.app_token("notifications")}
    request = urllib.request.Request(f"http://127.0.0.1:{system.port(port)}{path}", headers=told)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return str(answer.read().decode())


def figure(text: str, name: str) -> float:
    [found] = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found)


def is_open(text: str) -> bool:
    """Whether a breaker of a mail component is."""
    series = re.findall(r"^dapr_resiliency_cb_state\{(.*)\} (\S+)$", text, re.MULTILINE)
    return any('status="open"' in labels and "email" in labels and float(value) == 1 for labels, value in series)


@pytest.fixture
async def watch(system: System) -> AsyncIterator[Watch]:
    watching = Watch()
    task = asyncio.create_task(watching.keep_looking(system))
    yield watching
    task.cancel()


async def arrived(system: System, last: int) -> tuple[Counter[str], int]:
    """Return how many came to each reader after the mail *last*, and which was the newest."""
    found: Counter[str] = Counter()
    while page := await asyncio.to_thread(mails_after, system, last):
        found.update(mail["recipients"][0] for mail in page)
        last = page[-1]["id"]
    return found, last


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_all_arrive_once_after_the_mail_server_was_away(shop: Shop, watch: Watch) -> None:
    system, known = shop.system, list(people(MAILS))
    last = await asyncio.to_thread(newest_mail, system)
    await publish(system, "users", known)
    facts = [paid(person) for person in known]
    third = MAILS // 3
    await publish(system, "orders", facts[:third])
    with system.without("mailbox"):
        began = time.monotonic()
        # people go on ordering all the while
        for batch in batches(facts[third : 2 * third]):
            await publish(system, "orders", batch)
            await asyncio.sleep(AWAY_S * 0.8 * BATCH / third)
        await asyncio.sleep(max(0.0, began + AWAY_S - time.monotonic()))
        most, open_at_the_end = watch.waiting[-1], any(watch.breakers[-20:])
    back, seen = time.monotonic(), Counter[str]()
    await publish(system, "orders", facts[2 * third :])

    async def all_there() -> float | None:
        nonlocal last
        more, last = await arrived(system, last)
        seen.update(more)
        return time.monotonic() - back if all(person.email in seen for person in known) else None

    took = await until(all_there, "every mail", deadline_s=ALL_THERE_WITHIN_S, every_s=1)
    await until(lambda: closed(watch), "the breakers to close", deadline_s=60, every_s=1)
    print(f"\nload {os.getloadavg()[0]:.1f}; {MAILS} mails, away {AWAY_S:.0f} s; {most:.0f} waited at its end")
    print(f"all there after {took:.0f} s; looked {len(watch.waiting)} times, {watch.unseen} times in vain")
    assert [reader for reader, count in seen.items() if count > 1] == []
    assert open_at_the_end
    assert max(watch.waiting) > third / 4
    assert max(watch.undelivered) == 0
    assert watch.unseen <= len(watch.waiting) / 50


async def closed(watch: Watch) -> bool | None:
    return True if not any(watch.breakers[-2:]) else None
