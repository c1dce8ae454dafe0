"""A processor within the test: it keeps its own record, honours references, and can be told to misbehave."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import orjson

from apps.chassis.database import Database
from apps.contracts.base import Money
from apps.payments.domain import RefundState
from apps.payments.provider import (
    ActionRequired,
    Authorised,
    Busy,
    Captured,
    Card,
    Charge,
    ChargeOutcome,
    Declined,
    Listed,
    Lost,
    Missing,
    Notice,
    NoticeNotValidError,
    RefundOutcome,
    Released,
    Return,
    Returned,
)
from apps.payments.sealing import Vault, vault_from
from apps.payments.worker import Worker
from tests.store.payments.heard import AMOUNT

KEY = base64.b64encode(bytes(range(32))).decode()


def make_vault() -> Vault:
    return vault_from(f"k1:{KEY}", KEY)


@dataclass
class Till:
    """Takes and returns money; `calls` and `asked` count its orders and questions, `taken` and `given` what it did."""

    taken: dict[str, Charge] = field(default_factory=dict)
    given: dict[str, Return] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    decline: bool = False
    busy: int = 0
    busy_for: timedelta = timedelta(milliseconds=1)
    busy_once_taken: int = 0
    asked: int = 0
    lose_finds: int = 0
    replays_error: set[str] = field(default_factory=set)
    lose_answers: int = 0
    hang: set[UUID] = field(default_factory=set)
    tamper: int = 0
    refund_state: RefundState = RefundState.SUCCEEDED
    held: dict[str, Charge] = field(default_factory=dict)
    """By reference, what was only authorised."""
    waiting: dict[str, Charge] = field(default_factory=dict)
    """By reference, what waits for its customer."""
    sums: dict[str, int] = field(default_factory=dict)
    """By reference, how much was captured of what was held."""
    released: set[str] = field(default_factory=set)
    ask_customer: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def charge(self, charge: Charge) -> ChargeOutcome:
        self.calls.append(charge.reference)
        await self.gate.wait()
        if charge.order_id in self.hang:
            await asyncio.Event().wait()
        if charge.reference in self.replays_error:
            return Lost("stored 500")
        if self.busy:
            self.busy -= 1
            return Busy("told to be", self.busy_for)
        if self.decline:
            return Declined("insufficient_funds", "pi_declined", Card("visa", "9995"), b'{"no": "insufficient"}')
        if self.ask_customer:
            self.waiting.setdefault(charge.reference, charge)
        elif charge.manual:
            self.held.setdefault(charge.reference, charge)
        else:
            self.taken.setdefault(charge.reference, charge)
        if self.lose_answers:
            self.lose_answers -= 1
            return Lost("told to")
        if self.busy_once_taken:
            self.busy_once_taken -= 1
            return Busy("told to be", timedelta(milliseconds=1))
        return self._said(charge)

    async def capture(self, charge: Charge, amount: int) -> ChargeOutcome:
        self.calls.append(f"{charge.reference}-capture")
        if charge.reference in self.held:
            self.taken[charge.reference] = self.held.pop(charge.reference)
            self.sums[charge.reference] = amount
        return self._maybe_lost(charge)

    async def void(self, charge: Charge) -> ChargeOutcome:
        self.calls.append(f"{charge.reference}-void")
        if self.held.pop(charge.reference, None) or self.waiting.pop(charge.reference, None):
            self.released.add(charge.reference)
        return self._maybe_lost(charge)

    def confirm(self, reference: str) -> None:
        """Let the customer agree."""
        self.taken[reference] = self.waiting.pop(reference)

    def _maybe_lost(self, charge: Charge) -> ChargeOutcome:
        if self.lose_answers:
            self.lose_answers -= 1
            return Lost("told to")
        return self._said(charge)

    def _said(self, charge: Charge) -> ChargeOutcome:
        reference = charge.reference
        if reference in self.taken:
            return self._captured(charge)
        if reference in self.held:
            shown = Card("visa", "4242")
            return Authorised(f"pi_{reference}", self.held[reference].amount, charge.currency, shown, b"{}")
        if reference in self.waiting:
            return ActionRequired(f"pi_{reference}", f"http://bank.test/{reference}", b"{}")
        return Released(f"pi_{reference}", b"{}") if reference in self.released else Missing()

    async def find(self, charge: Charge) -> ChargeOutcome:
        self.asked += 1
        if self.lose_finds:
            self.lose_finds -= 1
            return Lost("told to")
        return self._said(charge)

    def _captured(self, charge: Charge) -> Captured:
        raw = orjson.dumps({"id": f"pi_{charge.reference}", "amount": charge.amount, "status": "succeeded"})
        shown = Card("mastercard", "4444")
        amount = self.sums.get(charge.reference, self.taken[charge.reference].amount)
        return Captured(f"pi_{charge.reference}", amount + self.tamper, charge.currency, shown, raw)

    async def refund(self, refund: Return) -> RefundOutcome:
        self.calls.append(refund.reference)
        self.given.setdefault(refund.reference, refund)
        if self.lose_answers:
            self.lose_answers -= 1
            return Lost("told to")
        return self._returned(refund)

    async def find_refund(self, refund: Return) -> RefundOutcome:
        return self._returned(refund) if refund.reference in self.given else Missing()

    def _returned(self, refund: Return) -> Returned:
        raw = orjson.dumps({"amount": refund.amount})
        return Returned(f"re_{refund.reference}", refund.amount, refund.currency, self.refund_state, raw)

    async def listed(self, _day: date) -> AsyncIterator[Listed]:
        for reference in [*self.taken, *self.given]:
            if found := await self.shown(self._payment(reference), reference, "x"):
                yield found

    def _payment(self, reference: str) -> UUID:
        return UUID(reference[:36])

    async def shown(self, payment_id: UUID, reference: str, provider_id: str, _charge_id: str = "") -> Listed | None:
        if charge := self.taken.get(reference):
            amount = self.sums.get(reference, charge.amount) + self.tamper
            return Listed(reference, payment_id, provider_id, amount, charge.currency, "captured")
        if refund := self.given.get(reference):
            return Listed(reference, payment_id, provider_id, refund.amount, refund.currency, "succeeded")
        return None

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        if headers.get("signature") != "good":
            raise NoticeNotValidError
        return Notice(str(orjson.loads(body)["id"]), "refund.failed", UUID(orjson.loads(body)["payment"]), None)


async def dear(_order_id: UUID) -> Money:
    """Stand for orders, asked what an order costs by now."""
    return Money(amount=AMOUNT, currency="EUR")


def make_worker(database: Database, till: Till, lease_s: float = 30, second: Till | None = None) -> Worker:
    return Worker(
        database,
        {"stripe": till, "checkout-com": second or till},
        dear,
        concurrency=8,
        call_timeout=timedelta(seconds=10),
        lease=timedelta(seconds=lease_s),
        poll=timedelta(milliseconds=20),
    )
