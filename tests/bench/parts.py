"""The parts of the bench on a running system, in order: idle, sustained, as much as it takes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stack.home import Home
from tests.bench import market, raw
from tests.bench.figures import Json, ratio
from tests.bench.flow import Flow
from tests.bench.generator import Plan
from tests.bench.settings import Settings
from tests.support.shop import Shop
from tests.support.system import System

CLIENTS = (4, 8, 16, 32, 64)
GROWTH_WORTH_A_STEP = 1.05
WARM_UP_ORDERS = 40
WARM_UP_RATE = 20.0
IDLE_S = 4.0
STEP_WITH_DRAIN = 3
"""A step takes about this many times its load: what was placed is also paid for and mailed."""
PLACED = "accepted_per_second"

Say = Callable[[str], None]


def measure(system: System, settings: Settings, deadline: float, say: Say) -> Json:
    """Run every part and return all figures, memory included; stop waiting at *deadline* of the monotonic clock."""
    say("preparing customers and articles")
    requests = market.prepare(system, settings)
    flow = Flow(system, deadline)
    results: Json = {"memory_idle_mib": _mib(flow), "cores_idle": _cores_idle(flow)}
    port = system.port(3500)
    flow.run(Plan(port=port, requests=requests, rate=WARM_UP_RATE, limit=WARM_UP_ORDERS))
    say(f"{settings.singles} single orders on the idle system")
    results["idle"] = flow.run(Plan(port=port, requests=requests, rate=settings.single_rate, limit=settings.singles))
    say("raw limits of this machine")
    results["raw"] = raw.measure(Home(system.root, system.offset), settings)
    say(f"{settings.rate:g} orders/s for {settings.seconds:g} s")
    with _processor_takes(system, settings.processor_ms):
        sustained = Plan(port=port, requests=requests, rate=settings.rate, seconds=settings.seconds)
        results["sustained"] = flow.run(sustained)
    results["memory_mib"] = _mib(flow)
    results["most"] = _most(
        flow, Plan(port=port, requests=requests, seconds=settings.step_seconds), results, deadline, say
    )
    results["ratios"] = ratios(results)
    results["dead_letters"] = _dead_letters(system)
    return results


@contextmanager
def _processor_takes(system: System, milliseconds: float) -> Iterator[None]:
    """Have the card processor answer only after so long."""
    if not milliseconds:
        yield
        return
    system.stand_in("card-processor", "/faults", "PUT", {"delay_ms": milliseconds})
    try:
        yield
    finally:
        system.stand_in("card-processor", "/faults", "DELETE")


def _most(flow: Flow, plan: Plan, results: Json, deadline: float, say: Say) -> Json:
    """Add clients until that gives no more orders a second; each step's orders are mailed before the next begins."""
    steps: list[Json] = []
    best = {**results["sustained"], "clients": None}
    waited_for = best["drained"]
    for clients in CLIENTS:
        if not waited_for or time.monotonic() + plan.seconds * STEP_WITH_DRAIN > deadline:
            say("time is up: no more clients are tried")
            break
        say(f"as many orders as {clients} clients can place")
        done = {**flow.run(plan.model_copy(update={"clients": clients})), "clients": clients}
        grew = not steps or done[PLACED] > steps[-1][PLACED] * GROWTH_WORTH_A_STEP
        steps.append(done)
        best = max(best, done, key=lambda step: float(step[PLACED]))
        waited_for = done["drained"]
        if not grew:
            break
    mailed = max(step["placed_paid_mailed_per_second"] for step in (results["sustained"], *steps))
    return {
        "placed_per_second": best[PLACED],
        "placed_paid_mailed_per_second": mailed,
        "clients": best["clients"],
        "steps": steps,
    }


def ratios(results: Json) -> Json:
    """Set what the system does against what the machine does at most."""
    most, limits = results["most"], {name: figures["per_second"] for name, figures in results["raw"].items()}
    return {
        "placed / hello through edge and callee": ratio(
            most["placed_per_second"], limits["hello_through_edge_and_callee"]
        ),
        "placed / insert-commit": ratio(most["placed_per_second"], limits["insert_commit"]),
        "paid and mailed / bulk publish to bulk handled": ratio(
            most["placed_paid_mailed_per_second"], limits["bulk_publish_to_bulk_handled"]
        ),
        "one sidecar / direct": ratio(limits["hello_through_one_sidecar"], limits["hello_direct"]),
        "edge and callee / direct": ratio(limits["hello_through_edge_and_callee"], limits["hello_direct"]),
    }


def _cores_idle(flow: Flow) -> float:
    """Return what the system burns while nobody wants anything, over a few of its own ticks."""
    before = flow.processes.read()
    time.sleep(IDLE_S)
    after = flow.processes.read()
    return round((sum(after.cpu_s.values()) - sum(before.cpu_s.values())) / (after.at - before.at), 3)


def _mib(flow: Flow) -> dict[str, float]:
    held = {name: round(size / 2**20, 1) for name, size in flow.processes.pss_bytes().items()}
    return held | {"in all": round(sum(held.values()), 1)}


def _dead_letters(system: System) -> dict[str, int]:
    """Count what was given up; anything but zero says that something was wrong."""

    async def count() -> dict[str, int]:
        async with Shop(system) as shop:
            support = shop.operator_token("support")
            counts: dict[str, int] = {}
            for name in ("users", "orders", "payments", "notifications"):
                answer = await shop.call(name, "GET", "/dead-letters", token=support)
                counts[name] = len(answer.body["items"])
            return counts

    return asyncio.run(count())
