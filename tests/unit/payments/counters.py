"""Each processor as payments speaks with it, over HTTP with its stand-in: what is true of one is to be true of all."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import urljoin
from uuid import UUID, uuid4

import aiohttp

from apps.payments.domain import RefundState
from apps.payments.provider import (
    Accepted,
    Captured,
    Charge,
    ChargeOutcome,
    Missing,
    Provider,
    RefundOutcome,
    Return,
    Returned,
)
from stack.stand_ins.card_processor_2.cards import token
from tests.support.stand_ins import StandIn

DEADLINE_S = 60.0
T = TypeVar("T")
TOKENS = {
    "stripe": {
        "good": "pm_card_mastercard",
        "insufficient": "pm_card_chargeDeclinedInsufficientFunds",
        "expired": "pm_card_chargeDeclinedExpiredCard",
        "stolen": "pm_card_chargeDeclinedStolenCard",
        "trouble": "pm_card_chargeDeclinedProcessingError",
        "confirm": "pm_card_authenticationRequired",
        "refund fails": "pm_card_refundFail",
        "nobody's": "pm_card_unheardOf",
    },
    "checkout-com": {
        "good": token("mastercard"),
        "insufficient": token("insufficientfunds"),
        "expired": token("expired"),
        "stolen": token("stolen"),
        "trouble": token("issuerunavailable"),
        "confirm": token("challenge"),
        "refund fails": token("refundfails"),
        "nobody's": token("unheardof"),
    },
}


@dataclass
class Counter:
    """One processor, and what it is asked by a test."""

    name: str
    provider: Provider
    stand_in: StandIn
    session: aiohttp.ClientSession
    payment_id: UUID = field(default_factory=uuid4)
    made: int = 0

    def charge(self, card: str = "good", amount: int = 1999, currency: str = "EUR", *, manual: bool = False) -> Charge:
        """Return an attempt with a reference of its own."""
        self.made += 1
        reference = f"{self.payment_id}-charge-{self.made}"
        method = TOKENS[self.name][card]
        return Charge(self.payment_id, uuid4(), reference, amount, currency, method, provider=self.name, manual=manual)

    def refund(self, of: Charge, amount: int) -> Return:
        """Return a refund of a charge that has its name."""
        self.made += 1
        reference, id_ = f"{self.payment_id}-refund-{self.made}", of.provider_id or ""
        return Return(self.payment_id, uuid4(), reference, amount, of.currency, id_, provider=self.name)

    async def outcome(self, charge: Charge) -> ChargeOutcome:
        """Charge, and ask until it is decided."""
        return await self.decided(charge, await self.provider.charge(charge))

    async def decided(self, charge: Charge, said: ChargeOutcome) -> ChargeOutcome:
        """Ask until a charge is decided."""
        if not isinstance(said, Accepted):
            return said
        known = named(charge, said)
        return await until(lambda: self.provider.find(known), decided)

    async def taken(self, card: str = "good", amount: int = 1999) -> Charge:
        """Take money; return the charge with its name."""
        charge = self.charge(card, amount)
        outcome = await self.outcome(charge)
        assert isinstance(outcome, Captured), outcome
        return named(charge, outcome)

    async def gone(self, refund: Return) -> RefundOutcome:
        """Give back, and ask until it is decided."""
        said = await self.provider.refund(refund)
        if not isinstance(said, Returned) or said.state is not RefundState.PENDING:
            return said
        known = replace(refund, provider_id=said.provider_id)
        return await until(lambda: self.provider.find_refund(known), _is_settled)

    async def press(self, url: str, outcome: str) -> None:
        """Do what a customer does in a browser: open the bank's page and press a button."""
        async with self.session.get(url) as page:
            action = re.search(r'action="([^"]+)"', await page.text())
        assert action
        target = urljoin(url, action[1].replace("&amp;", "&"))
        async with self.session.post(target, data=f"outcome={outcome}".encode(), allow_redirects=False) as answer:
            assert answer.status in (200, 303)


def named(charge: Charge, said: ChargeOutcome) -> Charge:
    """Return the charge with the name that the processor gave it."""
    return replace(charge, provider_id=getattr(said, "provider_id", None))


def decided(said: ChargeOutcome) -> bool:
    """Tell whether a processor has said what came of it."""
    return not isinstance(said, Accepted)


def _is_settled(said: RefundOutcome) -> bool:
    return not (isinstance(said, Missing) or (isinstance(said, Returned) and said.state is RefundState.PENDING))


async def until(ask: Callable[[], Awaitable[T]], met: Callable[[T], bool]) -> T:
    """Ask until what is said is *met*."""
    deadline = time.monotonic() + DEADLINE_S
    while not met(found := await ask()):
        assert time.monotonic() < deadline, f"it stayed {found}"
        await asyncio.sleep(0.02)
    return found
