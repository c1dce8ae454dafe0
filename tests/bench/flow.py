"""Orders from the edge to the mailbox, under a load: what was promised, when it was kept, and what it cost."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from stack.home import Home
from tests.bench import generator, trail
from tests.bench.figures import Json, backlog, growth, spread
from tests.bench.generator import Outcome, Plan
from tests.bench.processes import Processes, Reading
from tests.bench.trail import Trail
from tests.support.system import System

WATCH_S = 1.0
POLL_S = 0.1
GENERATOR = "load generator"
# Every stage with where it ends; each is counted from the moment at which its order was due to be sent.
STAGES: tuple[tuple[str, Callable[[Trail], trail.Marks]], ...] = (
    ("order-placed at the broker", lambda seen: seen.published["order-placed"]),
    ("captured", lambda seen: seen.captured),
    ("payment-captured at the broker", lambda seen: seen.published["payment-captured"]),
    ("paid", lambda seen: seen.paid),
    ("order-paid at the broker", lambda seen: seen.published["order-paid"]),
    ("mailed", lambda seen: seen.mailed),
)


@dataclass(frozen=True, slots=True)
class Costs:
    """Clock readings around a stretch of time."""

    before: Reading
    after: Reading

    def of(self, orders: int, generator_s: float) -> Json:
        """Return what each process burned, in all and for each order."""
        used = {name: cpu - self.before.cpu_s.get(name, 0.0) for name, cpu in self.after.cpu_s.items()}
        seconds, ours = self.after.at - self.before.at, sum(used.values())
        machine = self.after.machine_s - self.before.machine_s
        each = {name: round(cpu * 1000 / orders, 3) for name, cpu in used.items()} if orders else {}
        return {
            "cpu_s": {name: round(cpu, 2) for name, cpu in used.items()} | {GENERATOR: round(generator_s, 2)},
            "cpu_ms_per_order": each | ({GENERATOR: round(generator_s * 1000 / orders, 3)} if orders else {}),
            "cpu_ms_per_order_in_all": round(ours * 1000 / orders, 3) if orders else None,
            "cores_used": round(ours / seconds, 2),
            "cores_used_by_others": round(max(0.0, machine - ours - generator_s) / seconds, 2),
        }


class Flow:
    """One running system and what measures it."""

    def __init__(self, system: System, deadline: float) -> None:
        """Wait for mails until *deadline*, a moment of the monotonic clock, and no longer."""
        self._system = system
        self._deadline = deadline
        self.processes = Processes(Home(system.root, system.offset))

    def run(self, plan: Plan) -> Json:
        """Order as planned, follow every order that was accepted to its mail, and return the figures."""
        load = [round(value, 2) for value in psutil.getloadavg()]
        before_count, after_mail = trail.mails_so_far(self._system)
        before = self.processes.read()
        outcome = generator.run(plan)
        loaded = self.processes.read()
        arrived = self._drain(before_count + len(outcome.good))
        drained = self.processes.read()
        seen = trail.read(self._system, outcome.began - 1, after_mail, (sample.id for sample in outcome.good))
        figures = {"load_average_before": load, **_answers(outcome), **_kept(outcome, seen)}
        figures |= {"stages": _stages(outcome, seen), "drained": arrived}
        figures |= {"backlog": _backlog(outcome, seen.mailed), "charges": _charges(outcome, seen.captured)}
        # an order's cost is known once all of it is done
        figures |= Costs(before, drained).of(len(outcome.good), outcome.cpu_s)
        figures["cores_used_under_load"] = Costs(before, loaded).of(0, outcome.cpu_s)["cores_used"]
        return figures

    def _drain(self, expected: int) -> bool:
        """Wait until as many mails are there; tell whether they came in time."""
        while trail.mails_so_far(self._system)[0] < expected:
            if time.monotonic() > self._deadline:
                return False
            time.sleep(POLL_S)
        return True


def _answers(outcome: Outcome) -> Json:
    return {
        "seconds": round(outcome.seconds, 2),
        "sent": len(outcome.samples),
        "accepted": len(outcome.good),
        "accepted_per_second": round(outcome.per_second, 1),
        "connections": outcome.connections,
        "failures": outcome.failures,
    }


def _kept(outcome: Outcome, seen: Trail) -> Json:
    """Hold what was accepted against the records: nothing lost, nothing twice."""
    ids = [sample.id for sample in outcome.good]
    last = max((seen.mailed[id_] for id_ in ids if id_ in seen.mailed), default=outcome.began)
    mailed = sum(id_ in seen.mailed for id_ in ids)
    return {
        "paid": sum(id_ in seen.paid for id_ in ids),
        "charged_once": sum(seen.charges[id_] == 1 for id_ in ids),
        "mailed": mailed,
        "mailed_twice": sum(seen.mails[id_] > 1 for id_ in ids),
        "placed_paid_mailed_per_second": round(mailed / (last - outcome.began), 1) if mailed else 0.0,
    }


def _stages(outcome: Outcome, seen: Trail) -> Json:
    stages = {"answered": spread(sample.took_s for sample in outcome.good)}
    for name, marks_of in STAGES:
        marks = marks_of(seen)
        stages[name] = spread(marks[one.id] - one.at for one in outcome.good if one.id in marks)
    return stages


def _charges(outcome: Outcome, captured: trail.Marks) -> Json:
    """Return how fast the processor's answers came in, and whether they kept up with the orders."""
    at = sorted(captured[sample.id] for sample in outcome.good if sample.id in captured)
    rate = (len(at) - 1) / (at[-1] - at[0]) if len(at) > 1 else 0.0
    return {"per_second": round(rate, 1), "backlog": _backlog(outcome, captured)}


def _backlog(outcome: Outcome, done: trail.Marks) -> Json:
    """Return how many orders were accepted and not yet *done*, over the load and after it."""
    accepted = [sample.at + sample.took_s for sample in outcome.good]
    ends = [done[sample.id] for sample in outcome.good if sample.id in done]
    over = outcome.began + outcome.seconds
    levels = backlog(_moments(outcome.began, over), accepted, ends)
    settled = levels[len(levels) // 4 :]
    return {
        "levels": levels,
        "every_s": WATCH_S,
        "most": max(levels, default=0),
        "at_the_end_of_load": backlog([over], accepted, ends)[0],
        "growth_per_second": round(growth(settled, WATCH_S), 2),
        "gone_after_s": round(max(0.0, max(ends, default=over) - over), 2),
    }


def _moments(start: float, end: float) -> Iterator[float]:
    moment = start + WATCH_S
    while moment < end:
        yield moment
        moment += WATCH_S
