"""`python -m tests.bench.charges`: payments by itself, as fast as it can and at a pace, and what that costs."""

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from stack.home import Home
from tests.bench.processes import Processes
from tests.support.payments_alone import Alone, placed, write_topology
from tests.support.system import System

WARM_UP = 100
DEADLINE_S = 300
TICK_S = 0.08
"""How far apart orders' relay keeps its rounds under load."""
WORTH_TELLING_MS = 0.02


def main() -> None:
    """Measure each delay of the processor in turn, on one system."""
    wanted = _parse()
    with TemporaryDirectory() as folder, System(write_topology(Path(folder))) as system:
        alone = Alone(system)
        alone.say([placed() for _ in range(WARM_UP)])
        alone.wait_booked(WARM_UP, DEADLINE_S)
        for delay_ms in wanted.delay_ms:
            system.stand_in("card-processor", "/faults", "PUT", {"delay_ms": delay_ms} if delay_ms else {})
            before = alone.booked()
            alone.backlog([placed() for _ in range(wanted.orders)]).close()
            alone.wait_booked(before + wanted.orders // 10, DEADLINE_S)
            _measure(alone, before + wanted.orders, f"backlog, answers after {delay_ms:g} ms")
            if wanted.rate:
                _at_pace(alone, wanted.rate, wanted.seconds, f"{wanted.rate:g}/s, answers after {delay_ms:g} ms")
        if wanted.hold:
            print(system.root, system.offset, flush=True)
            sys.stdin.readline()


def _at_pace(alone: Alone, rate: float, seconds: float, what: str) -> None:
    before, begun = alone.booked(), time.monotonic()
    meter = Meter(alone)
    said = 0
    while (passed := time.monotonic() - begun) < seconds:
        alone.say([placed() for _ in range(int(passed * rate) - said)])
        said = int(passed * rate)
        time.sleep(TICK_S)
    alone.wait_booked(before + said, DEADLINE_S)
    meter.tell(what)


def _measure(alone: Alone, until: int, what: str) -> None:
    meter = Meter(alone)
    alone.wait_booked(until, DEADLINE_S)
    meter.tell(what)


class Meter:
    """What every process burned since, for each charge that was booked."""

    def __init__(self, alone: Alone) -> None:
        self._alone = alone
        self._processes = Processes(Home(alone.system.root, alone.system.offset))
        self._booked, self._first = alone.booked(), self._processes.read()

    def tell(self, what: str) -> None:
        """Print it."""
        last, charges = self._processes.read(), self._alone.booked() - self._booked
        used = {name: cpu - self._first.cpu_s.get(name, 0.0) for name, cpu in last.cpu_s.items()}
        each = {name: round(cpu * 1000 / charges, 3) for name, cpu in used.items()}
        busy = {name: ms for name, ms in sorted(each.items(), key=lambda item: -item[1]) if ms > WORTH_TELLING_MS}
        others = (last.machine_s - self._first.machine_s - sum(used.values())) / (last.at - self._first.at)
        rate = self._alone.rate(self._booked)
        print(f"{what}: {rate:.0f} charges/s, CPU ms a charge {busy}; others used {others:.2f} cores", flush=True)


def _parse() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.bench.charges")
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--delay-ms", type=float, nargs="+", default=[0, 100])
    parser.add_argument("--rate", type=float, default=0.0, help="also at so many a second, as orders would tell them")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--hold", action="store_true", help="keep the system up until a line is typed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
