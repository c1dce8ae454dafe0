"""A card processor that limits us (429) is asked less by the whole system: nothing is lost, nothing charged twice."""

import asyncio
import re
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.audit import Audit
from tests.support.load import SOLD, Load, buyers, letters
from tests.support.shop import Shop
from tests.support.system import System

RATE = 10
REFUSED_FOR_S = 10
RETRY_AFTER_S = 5
WELL_WITHIN_S = 180
BUSY = re.compile(r'^sidecart_payments_calls_total\{outcome="busy",provider="stripe"\} ([\d.]+)$', re.MULTILINE)


@pytest.fixture
def limits(system: System) -> Iterator[None]:
    yield
    system.stand_in("card-processor", "/faults", "DELETE")


def refusals(system: System) -> float:
    """Return how often payments has been told to wait."""
    url = f"http://127.0.0.1:{system.port(8003)}/internal/metrics"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        found = BUSY.search(answer.read().decode())
    return float(found[1]) if found else 0.0


@pytest.mark.usefixtures("limits")
async def test_a_processor_that_limits_us_is_asked_less_and_every_order_is_charged_once(
    system: System, shop: Shop
) -> None:
    customers, sku = await buyers(shop, 3), f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    before = refusals(system)
    limited = {"status": 429, "retry_after_s": RETRY_AFTER_S}
    system.stand_in("card-processor", "/faults", "PUT", limited)
    async with Load(shop, customers, sku, rate=RATE) as load:
        await asyncio.sleep(REFUSED_FOR_S)
        asked = refusals(system) - before
        seen = await audit.look()
        system.stand_in("card-processor", "/faults", "PUT", limited | {"share": 0.2, "retry_after_s": 1})
    # orders are taken meanwhile, and for most of them nobody has troubled the processor
    assert load.outcome.refused == []
    assert not any(order["status"] == "paid" for order in seen.orders.values())
    assert 0 < asked < len(seen.orders)
    # a fifth of the calls goes on being refused: slower, and yet all of it is done
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)
    print(f"{len(load.outcome.placed)} orders; refused {asked:.0f} times for {len(seen.orders)} of them, then ", end="")
    print(f"{refusals(system) - before - asked:.0f} times more")
