"""The numbers to meet, each with what was measured; pure."""

from typing import NamedTuple

from tests.bench.figures import Json

READY_S = 15.0
IDLE_P95_MS = 300.0
RATE = 150.0
MEMORY_MIB = 1536.0
FLAT = 0.02
"""A backlog that grows by less than this share of the rate counts as flat: a few orders are always under way."""


class Goal(NamedTuple):
    """A promise, what was measured, and whether it was kept."""

    what: str
    wanted: str
    measured: str
    met: bool


def judge(results: Json) -> list[Goal]:
    """Hold the figures against the promises."""
    idle, sustained, memory = results["idle"], results["sustained"], results["memory_mib"]["in all"]
    p95 = idle["stages"]["mailed"]["p95_ms"]
    rate, grows = sustained["placed_paid_mailed_per_second"], sustained["backlog"]["growth_per_second"]
    refused = sustained["sent"] - sustained["accepted"]
    goals = [
        Goal(
            "idle: placed to mailed, p95", f"<= {IDLE_P95_MS:g} ms", f"{p95} ms", p95 is not None and p95 <= IDLE_P95_MS
        ),
        Goal(
            "sustained: asked for",
            f">= {RATE:g}/s",
            f"{results['settings']['rate']:g}/s",
            results["settings"]["rate"] >= RATE,
        ),
        Goal("sustained: refused", "0", str(refused), refused == 0),
        Goal("sustained: backlog grows by", "~ 0/s", f"{grows}/s", grows <= FLAT * rate),
        Goal("accepted, yet not charged once, paid and mailed", "0", str(lost(results)), lost(results) == 0),
        Goal("memory of everything", f"<= {MEMORY_MIB:g} MiB", f"{memory} MiB", memory <= MEMORY_MIB),
    ]
    if (ready := results.get("ready_s")) is not None:
        goals.insert(0, Goal("first start to ready", f"<= {READY_S:g} s", f"{ready} s", ready <= READY_S))
    return goals


def lost(results: Json) -> int:
    """Return how many accepted orders did not end as they must, in every part whose end was waited for."""
    parts = [results["idle"], results["sustained"], *results["most"]["steps"]]
    ends = ("paid", "charged_once", "mailed")
    return sum(part["accepted"] - min(part[end] for end in ends) for part in parts if part["drained"])
