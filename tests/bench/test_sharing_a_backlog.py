"""Replicas of payments work a backlog off together: every order charged once, and each of them had a part in it."""

import os
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from stack.services import REPLICA_STEP, replica_name
from tests.support.payments_alone import Alone, placed, write_topology
from tests.support.system import System

pytestmark = [pytest.mark.soak, pytest.mark.bench, pytest.mark.timeout(3600)]

ORDERS = int(os.environ.get("SIDECART_BACKLOG", "500"))
"""20,000 is the full size."""
PATIENCE_S = 120 + ORDERS / 10
# What each of several does at least of its even share, where there is enough of it left when the last has come up.
SHARE, ENOUGH = 0.3, 20_000
ANSWERED = re.compile(r'^sidecart_payments_calls_total\{outcome="captured",provider="stripe"\} ([\d.]+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    with System(write_topology(tmp_path_factory.mktemp("topology"))) as running:
        yield Alone(running)


def done_by(alone: Alone, number: int) -> float:
    """Return how many charges replica *number* has made since its start."""
    url = f"http://127.0.0.1:{alone.system.port(8003) + REPLICA_STEP * (number - 1)}/internal/metrics"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        found = ANSWERED.search(answer.read().decode())
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_a_backlog_is_shared_and_nothing_of_it_charged_twice(alone: Alone, replicas: int) -> None:
    alone.system.sidecart("scale", f"payments={replicas}")
    before, orders = alone.booked(), [placed() for _ in range(ORDERS)]
    alone.backlog(orders, [replica_name("payments", number) for number in range(1, replicas + 1)]).close()
    alone.wait_booked(before + ORDERS, PATIENCE_S)
    parts = [done_by(alone, number) for number in range(1, replicas + 1)]
    charges = Counter(each["metadata"]["order_id"] for each in alone.intents() if each["status"] == "succeeded")
    load = psutil.getloadavg()[0]
    # replicas come up one after the other: by the second half all of them are there
    rates = f"{alone.rate(before):.0f} charges/s, {alone.rate(before + ORDERS // 2):.0f} in the second half"
    print(f"\n{ORDERS} by {replicas}: {rates}, each {parts}, at load {load:.0f}")
    assert {charges[str(order.order_id)] for order in orders} == {1}
    assert sum(parts) >= ORDERS
    if ORDERS >= ENOUGH:
        assert min(parts) > SHARE * ORDERS / replicas
