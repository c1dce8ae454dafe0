"""What an audit found: each invariant, how much was held against it, what violates it, and what to do then."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

SHOWN: Final = 1_000
CLAIMS: Final = {
    "money": (
        "each order has one payment, which keeps what is due and no more",
        "compare GET /orders/{id}/timeline with GET /payments?order_id=; replay that time, or refund what is too much",
    ),
    "ledger": (
        "entries balance, and come to what payments say",
        "do not alter entries: find the payment by GET /ledger/entries?payment_id= and correct by a reverse entry",
    ),
    "processor": (
        "the processors' records say what ours do",
        "GET /reconciliations/{day} names each field with both values; what differs is decided by a person",
    ),
    "goods": (
        "an order stands where its parcels and returns say",
        "read GET /orders/{id}/timeline, and register the parcel or return that is missing",
    ),
    "stock": (
        "no article has less than nothing in stock",
        "count it, and correct by POST /products/{sku}/stock",
    ),
    "stuck": (
        "nothing waits that should have gone on: orders, payments, facts, dead letters",
        "see `sidecart status` and GET /dead-letters, which say why; `sidecart replay` tells again what was not heard",
    ),
}


@dataclass(slots=True)
class Verdict:
    """One invariant."""

    name: str
    claim: str
    remedy: str
    looked_at: int = 0
    failed: int = 0
    violations: list[str] = field(default_factory=list[str])
    """The first thousand of those that failed."""
    not_run: str | None = None

    @property
    def holds(self) -> bool:
        """Tell whether it was looked at and nothing violates it."""
        return not self.failed and self.not_run is None


class Verdicts:
    """Gathers what is found; *moving* counts the orders that may be on their way and were not judged."""

    def __init__(self) -> None:
        self.moving = 0
        self._all = {name: Verdict(name, claim, remedy) for name, (claim, remedy) in CLAIMS.items()}
        self._touched: set[str] = set()

    def looked(self, name: str, found: Iterable[str]) -> None:
        """Note one thing that was looked at, and what is wrong with it."""
        self.note(name, found, 1)

    def note(self, name: str, found: Iterable[str], looked_at: int = 0) -> None:
        """Note what is wrong, and how much was looked at for it."""
        verdict = self._all[name]
        self._touched.add(name)
        verdict.looked_at += looked_at
        for each in found:
            verdict.failed += 1
            if len(verdict.violations) < SHOWN:
                verdict.violations.append(each)

    def skip(self, name: str, why: str) -> None:
        """Note that it could not be looked at as a whole."""
        self._touched.add(name)
        self._all[name].not_run = why

    def all(self) -> list[Verdict]:
        """Return each that anything was held against."""
        return [verdict for name, verdict in self._all.items() if name in self._touched]
