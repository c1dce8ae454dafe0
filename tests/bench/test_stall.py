"""A stall ends by itself: what queued while a process stood still is worked off beside what comes in."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import psutil
import pytest

from tests.bench import generator, market
from tests.bench.flow import Flow
from tests.bench.generator import Plan
from tests.bench.settings import Settings
from tests.support.system import System

RATE = float(os.environ.get("SIDECART_STALL_RATE", "150"))
STALL_S = float(os.environ.get("SIDECART_STALL_SECONDS", "4"))
BEFORE_S = 15.0
RECOVERY_S = 25.0
AFTER_S = 10.0


def stand_still(system: System, name: str, seconds: float) -> None:
    """Hold the process for so long, as a swapping machine would."""
    pid = system.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.soak
@pytest.mark.bench
@pytest.mark.timeout(300)
def test_orders_behind_a_stall_are_worked_off_and_later_ones_are_answered_as_before_it() -> None:
    """At the full rate, of which a machine that is too slow for it has no share to spare for the queue."""
    with System() as system:
        plan = Plan(
            port=system.port(3500), requests=market.prepare(system, Settings()), rate=RATE,
            seconds=BEFORE_S + STALL_S + RECOVERY_S + AFTER_S,
        )  # fmt: skip
        flow = Flow(system, time.monotonic() + 240)
        with ThreadPoolExecutor(1) as side:
            loaded = side.submit(generator.run, plan)
            time.sleep(BEFORE_S)
            stand_still(system, "orders", STALL_S)
            outcome = loaded.result()
        memory = {name: size >> 20 for name, size in flow.processes.pss_bytes().items() if name.endswith("daprd")}
    begins = [(sample.at - outcome.began, sample.took_s) for sample in outcome.samples]
    before = median(took for at, took in begins if 5 < at < BEFORE_S - 5)
    after = median(took for at, took in begins if at > plan.seconds - AFTER_S)
    longest = max(took for _, took in begins)
    print(
        f"\nanswered after {before:.3f} s before and {after:.3f} s after, at most {longest:.1f} s, "
        f"{sum(outcome.failures.values())} asked to come again; {memory} MiB; load {psutil.getloadavg()}"
    )
    assert longest > STALL_S / 2, "nobody waited: the stall did not land"
    assert not [text for text in outcome.failures if "/problems/overloaded" not in text]
    assert after < max(3 * before, 0.5)
