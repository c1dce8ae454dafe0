"""What it costs to trace one request in ten: two systems, told apart by that alone, take turns."""

import os
import time
from contextlib import ExitStack
from itertools import pairwise
from statistics import median

import psutil
import pytest

from tests.bench import market
from tests.bench.figures import Json
from tests.bench.flow import Flow
from tests.bench.generator import Plan
from tests.bench.settings import Settings
from tests.support.collector import Collector
from tests.support.system import System

TURNS = int(os.environ.get("SIDECART_TRACING_TURNS", "8"))
RATE = float(os.environ.get("SIDECART_TRACING_RATE", "30"))
ORDERS = 150
WARM_UP = 60
AT_MOST = 1.05
PATIENCE_S = 900


class Side:
    """One of the two systems, and what its orders cost so far."""

    def __init__(self, system: System, deadline: float) -> None:
        self._port = system.port(3500)
        self._requests = market.prepare(system, Settings())
        self._flow = Flow(system, deadline)
        self.costs: list[float] = []

    def turn(self, orders: int = ORDERS) -> Json:
        """Place *orders* and follow each to its mail; return the figures."""
        done = self._flow.run(Plan(port=self._port, requests=self._requests, rate=RATE, limit=orders))
        assert done["drained"], "mails were late: choose a lower SIDECART_TRACING_RATE"
        assert done["accepted"] == orders
        return done

    def measure(self) -> None:
        """Note what an order of one turn costs, in CPU of all processes of the system."""
        self.costs.append(float(self.turn()["cpu_ms_per_order_in_all"]))


@pytest.mark.soak
@pytest.mark.bench
@pytest.mark.timeout(PATIENCE_S)
def test_tracing_one_request_in_ten_costs_a_twentieth_at_most() -> None:
    deadline = time.monotonic() + PATIENCE_S - 60
    with ExitStack() as running:
        collector = running.enter_context(Collector())
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "0.1"}
        plain, traced = (Side(running.enter_context(System(env=env)), deadline) for env in ({}, told))
        for side in (plain, traced):
            side.turn(WARM_UP)
        # each goes first as often as the other
        for number in range(TURNS):
            for side in (plain, traced) if number % 2 else (traced, plain):
                side.measure()
        share = len(collector.ids()) / (TURNS * ORDERS + WARM_UP)
    ratio = sum(traced.costs) / sum(plain.costs)
    each = [round(with_spans / without, 3) for with_spans, without in zip(traced.costs, plain.costs, strict=True)]
    noise = median(abs(later / earlier - 1) for earlier, later in pairwise(plain.costs))
    print(
        f"\n{sum(traced.costs) / TURNS:.2f} ms of CPU an order with {share:.0%} traced, {sum(plain.costs) / TURNS:.2f} "
        f"without: {ratio:.3f} of it; by turns {each}; without, turns differ by {noise:.1%}; load {psutil.getloadavg()}"
    )
    assert 0.05 < share < 0.2  # drawn one in ten
    assert ratio <= AT_MOST
