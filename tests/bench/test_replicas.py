"""Notifications scales by its replicas: what a provider that takes its time lets through, with one, two and four."""

import os
import time
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.support.shop import Shop, until
from tests.support.system import System

REPLICAS = (1, 2, 4)
EACH = int(os.environ.get("SIDECART_REPLICA_MAILS", "400"))
"""Mails for each replica."""
PROVIDER_MS = 100
NEWS = {"subject": "Spring is here", "text": "Everything new."}
# A campaign's first mails are still being written out, and its last wait for a round: neither is a replica's pace.
SETTLED = (0.15, 0.85)
WORTH = 0.75
"""How much of its share a replica must add at least."""


async def campaign(shop: Shop, mails: int) -> tuple[int, float]:
    """Send *mails*; return how many went out between two moments of its middle, and how long that took."""
    name, staff = uuid4().hex[:8], shop.operator_token("staff")
    asked = {
        "template": "announcement",
        "channel": "email",
        "audience": {"emails": [f"guest-{n}-{name}@example.org" for n in range(mails)]},
        "data": NEWS,
    }
    begun = await shop.call("notifications", "POST", "/campaigns", asked, token=staff, key=uuid4().hex)
    assert begun.status == 201, begun.text

    async def shown() -> dict[str, Any]:
        found: dict[str, Any] = (
            await shop.call("notifications", "GET", f"/campaigns/{begun.body['id']}", token=staff)
        ).body
        return found

    async def reached(share: float) -> tuple[int, float] | None:
        sent = int((await shown())["sent"])
        return (sent, time.monotonic()) if sent >= mails * share else None

    first, last = [await until(lambda share=share: reached(share), "mails to go out", 240) for share in SETTLED]  # type: ignore[misc]

    async def done() -> dict[str, Any] | None:
        found = await shown()
        return found if found["status"] == "done" else None

    assert (await until(done, "the campaign to be done", 120))["sent"] == mails
    return last[0] - first[0], last[1] - first[1]


@pytest.mark.soak
@pytest.mark.bench
@pytest.mark.timeout(1200)
async def test_each_replica_of_notifications_adds_its_share() -> None:
    rates: dict[int, float] = {}
    with System() as system:
        async with Shop(system) as shop:
            system.stand_in("mailbox", "/faults", "PUT", {"delay_ms": PROVIDER_MS})
            for replicas in REPLICAS:
                system.sidecart("scale", f"notifications={replicas}")
                mails, seconds = await campaign(shop, EACH * replicas)
                rates[replicas] = mails / seconds
    told = ", ".join(f"{replicas}: {rate:.1f}/s" for replicas, rate in rates.items())
    print(f"\nmails a second by replicas, {PROVIDER_MS} ms each at the provider: {told}; load {psutil.getloadavg()}")
    for replicas in REPLICAS[1:]:
        assert rates[replicas] >= WORTH * replicas * rates[1], replicas
