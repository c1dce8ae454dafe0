"""A card processor that limits us (429) is asked less by the whole system: nothing is lost, nothing charged twice."""

import re
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.audit import Audit
from tests.support.load import SOLD, Load, buyers, letters
from tests.support.shop import Shop, until
from tests.support.system import System

RATE = 10
ORDERS = 100
"""Placed while everything is refused; half as many calls at once, and half of that again, come to fewer."""
RETRY_AFTER_S = 5
WELL_WITHIN_S = 180
CALLS = r'^sidecart_payments_calls_total\{outcome="%s",provider="stripe"\} ([\d.]+)$'


@pytest.fixture
def limits(system: System) -> Iterator[None]:
    yield
    system.stand_in("card-processor", "/faults", "DELETE")


def calls(system: System, outcome: str) -> float:
    """Return how many calls of payments have ended so."""
    url = f"http://127.0.0.1:{system.port(8003)}/internal/metrics"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        found = re.search(CALLS % outcome, answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.usefixtures("limits")
async def test_a_processor_that_limits_us_is_asked_less_and_every_order_is_charged_once(
    system: System, shop: Shop
) -> None:
    customers, sku = await buyers(shop, 3), f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    load = Load(shop, customers, sku, rate=RATE)

    async def placed() -> bool | None:
        return len(load.outcome.placed) >= ORDERS or None

    refused, taken = calls(system, "busy"), calls(system, "captured")
    limited = {"status": 429, "retry_after_s": RETRY_AFTER_S}
    system.stand_in("card-processor", "/faults", "PUT", limited)
    async with load:
        await until(placed, f"{ORDERS} orders to be placed", WELL_WITHIN_S)
        asked = calls(system, "busy") - refused
        assert calls(system, "captured") == taken
        # orders are taken meanwhile, and for many of them nobody has troubled the processor
        assert 0 < asked < ORDERS
        # then it refuses every fifth call: slower, and yet all is done
        system.stand_in("card-processor", "/faults", "PUT", limited | {"share": 0.2, "retry_after_s": 1})
    orders = len(load.outcome.placed)

    async def all_taken() -> bool | None:
        return calls(system, "captured") - taken >= orders or None

    await until(all_taken, f"{orders} orders to be charged", WELL_WITHIN_S, every_s=0.5)
    again = calls(system, "busy") - refused - asked
    assert load.outcome.refused == []
    system.stand_in("card-processor", "/faults", "DELETE")
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)
    print(f"{orders} orders: refused {asked:.0f} times while {ORDERS} were placed, then {again:.0f} times more")
