"""Holds a running system to its invariants, through what its services show to staff, support and operators."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from stack import invariants, operating
from stack.errors import StackError
from stack.home import Home
from stack.invariants import Json
from stack.verdicts import Verdict, Verdicts

PAGE: Final = 100
AT_ONCE: Final = 8
RECONCILED_S: Final = 120.0
# Reconciling a day lists all of it at the processors.
DAYS: Final = 7
_OLDEST: Final = re.compile(r"^sidecart_outbox_oldest_seconds ([0-9.e+-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be looked at."""

    since: datetime
    settle: timedelta
    """What changed more lately than this may be on its way, and is not judged."""
    order: str | None = None
    """This one alone."""
    reconcile: bool = True


@dataclass(slots=True)
class Audit:
    """One look at everything; *mint* gives a token for a role."""

    home: Home
    wish: Wish
    mint: Callable[[str], str]
    verdicts: Verdicts = field(default_factory=Verdicts)
    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])

    def run(self) -> list[Verdict]:
        """Return what became of each invariant."""
        self._orders()
        if self.wish.order is None:
            self.verdicts.note("ledger", invariants.balanced(self._list("payments", "/ledger/accounts", "staff")))
            for product in self._list("orders", "/products", "staff"):
                self.verdicts.looked("stock", invariants.counted(product))
            self._left_over()
            self._processors()
        return self.verdicts.all()

    def _orders(self) -> None:
        before = datetime.now(UTC) - self.wish.settle
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for page in self._order_pages():
                at_rest = [order for order in page if datetime.fromisoformat(order["updated_at"]) <= before]
                self.verdicts.moving += len(page) - len(at_rest)
                for order, payments in zip(at_rest, pool.map(self._payments, at_rest), strict=True):
                    self._judge(order, payments)

    def _order_pages(self) -> Iterator[list[Json]]:
        if self.wish.order is not None:
            yield [self._get("orders", f"/orders/{self.wish.order}", "support")]
        else:
            yield from self._pages("orders", "/orders", "support", placed_from=self.wish.since.isoformat())

    def _payments(self, order: Json) -> list[tuple[Json, list[Json]]]:
        """Return an order's payments, each with its entries."""
        found = self._list("payments", "/payments", "support", order_id=order["id"])
        return [
            (each, list(self._list("payments", "/ledger/entries", "staff", payment_id=each["id"]))) for each in found
        ]

    def _judge(self, order: Json, with_entries: list[tuple[Json, list[Json]]]) -> None:
        payments = [payment for payment, _ in with_entries]

        def of(found: Iterable[str]) -> list[str]:
            return [f"{order['number']} ({order['id']}): {what}" for what in found]

        self.verdicts.looked("money", of([*invariants.kept(order, payments), *invariants.agreement(order, payments)]))
        for payment, entries in with_entries:
            self.verdicts.looked("ledger", of(invariants.booked(payment, entries)))
        self.verdicts.looked("goods", of(invariants.parcels(order)))
        self.verdicts.looked("stuck", of([*invariants.waiting(order), *invariants.undecided(payments)]))

    def _left_over(self) -> None:
        for service in operating.services(self.home):
            letters = list(self._list(service, "/dead-letters", "support"))
            self.verdicts.note("stuck", [f"{service}: {len(letters)} dead letters"] if letters else [])
            told = operating.any_of(
                self.home, service, lambda each: operating.exchange(self.home, each, "GET", "/internal/metrics")
            )
            oldest = max((float(seconds) for seconds in _OLDEST.findall(told)), default=0.0)
            late = oldest > max(60.0, self.wish.settle.total_seconds())
            self.verdicts.note("stuck", [f"{service}: a fact has waited {oldest:.0f} s for the broker"] if late else [])

    def _processors(self) -> None:
        """Have the days compared with the processors' records, and read what was found."""
        today = datetime.now(UTC).date()
        first = max(self.wish.since.date(), today - timedelta(days=DAYS - 1))
        days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
        if not self.wish.reconcile:
            self.verdicts.skip("processor", "left out with --no-reconcile")
            return
        asked = datetime.now(UTC)
        for day in days:
            self._send("payments", "POST", f"/reconciliations/{day}", "staff")
        until = time.monotonic() + RECONCILED_S
        for day in days:
            if (report := self._report(day, asked, until)) is None:
                self.verdicts.skip("processor", f"{day} was not compared within {RECONCILED_S:.0f} s")
                return
            self.verdicts.note("processor", invariants.reconciled(report), report["matched"])

    def _report(self, day: date, asked: datetime, until: float) -> Json | None:
        while time.monotonic() < until:
            try:
                report: Json | None = self._get("payments", f"/reconciliations/{day}", "staff")
            except operating.BusyError:
                raise
            except StackError:  # 404: it never was
                report = None
            if report and datetime.fromisoformat(report["written_at"]) > asked:
                return report
            time.sleep(0.5)
        return None

    def _list(self, app_id: str, path: str, role: str, **query: str) -> Iterator[Json]:
        for page in self._pages(app_id, path, role, **query):
            yield from page

    def _pages(self, app_id: str, path: str, role: str, **query: str) -> Iterator[list[Json]]:
        paged = {} if path.startswith(("/ledger", "/payments")) else {"limit": str(PAGE)}
        cursor: dict[str, str] = {}
        while True:
            asked = urlencode({**paged, **query, **cursor})
            page = self._get(app_id, f"{path}?{asked}", role)
            yield page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def _get(self, app_id: str, path: str, role: str) -> Any:
        return json.loads(self._send(app_id, "GET", path, role))

    def _send(self, app_id: str, method: str, path: str, role: str) -> str:
        token = self._token(role)
        return operating.any_of(
            self.home, app_id, lambda each: operating.exchange(self.home, each, method, path, token=token)
        )

    def _token(self, role: str) -> str:
        """Return a token that lives for minutes yet: an audit of a large shop takes longer than one does."""
        expires, token = self._tokens.get(role, (0.0, ""))
        if expires < time.monotonic():
            self._tokens[role] = expires, token = time.monotonic() + 600, self.mint(role)
        return token
