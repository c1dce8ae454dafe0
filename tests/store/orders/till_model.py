"""Payments as orders may rely on it, in few lines: it hears facts in any order and as often as they come."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.chassis.sidecar import Answer
from tests.store.orders.shop import _fact


@dataclass
class Till:
    """The payment of one order; who is *manual* only holds the money until something is sent."""

    view: dict[str, Any]
    captured: int = 0
    manual: bool = False
    held: int = 0
    shipped: bool = False
    refunded: int = 0
    sequence: int = 0
    price_at: int = 0
    price: int = 0
    closed: bool = False
    returns: dict[str, int] = field(default_factory=dict[str, int])
    refused: bool = False

    @property
    def kept(self) -> int:
        return self.captured - self.refunded

    @property
    def target(self) -> int:
        return 0 if self.closed else self.price - sum(self.returns.values())

    def hear(self, topic: str, fact: dict[str, Any]) -> None:
        if topic in {"order-placed", "order-changed"} and fact["sequence"] > self.price_at:
            self.price_at, self.price = fact["sequence"], fact["total"]["amount"]
        elif topic in {"order-cancelled", "order-expired"}:
            self.closed = True
        elif topic == "order-shipped":
            self.shipped = True
        elif topic == "order-returned":
            self.returns[fact["return_id"]] = fact["refund"]["amount"]

    def act(self, *, refuse: bool) -> tuple[str, dict[str, Any]] | None:
        """Take, hold, let go or return what is missing or too much; return what is said of it, if anything was done."""
        missing = self.target - self.kept
        if self.held and (self.closed or self.shipped):
            # goods that came back before the capture are refunded after it
            return self._finish(0 if self.closed else min(self.held, self.price - self.kept))
        if missing == 0 or 0 < missing <= self.held:
            return None
        if missing < 0:
            self.refunded -= missing
            about = self._about()
            said = {"refund_id": f"00000000-0000-0000-0000-{self.sequence:012}", "amount": eur(-missing)}
            return "payment-refunded", about | said | {"refunded": eur(self.refunded), "refunded_at": WHEN}
        self.refused = refuse
        if refuse:
            said = {"decline_code": "expired_card", "advice": "x", "captured": eur(self.captured)}
            return "payment-declined", self._about() | said | {"declined_at": WHEN}
        if self.manual and not self.shipped:
            self.held = missing
            return "payment-authorised", self._about() | {"amount": eur(self.held), "authorised_at": WHEN}
        return self._take(missing)

    def _finish(self, wanted: int) -> tuple[str, dict[str, Any]]:
        """Take of what is held what is *wanted*, and let the rest go."""
        held, self.held = self.held, 0
        if wanted > 0:
            return self._take(wanted)
        return "payment-voided", self._about() | {"amount": eur(held), "voided_at": WHEN}

    def _take(self, amount: int) -> tuple[str, dict[str, Any]]:
        self.captured += amount
        about = self._about()
        return "payment-captured", about | {"amount": eur(amount), "captured": eur(self.captured), "captured_at": WHEN}

    def _about(self) -> dict[str, Any]:
        self.sequence += 1
        return _fact(self.view, self.sequence)

    def answer(self) -> Answer:
        """Return what orders is told when it asks."""
        status = "requires_capture" if self.held else "processing"
        if self.kept == self.target and self.captured:
            status = "succeeded"
        body = {
            "payment_id": _fact(self.view, 1)["payment_id"], "sequence": max(1, self.sequence), "status": status,
            "amount": eur(self.price), "captured": eur(self.captured), "refunded": eur(self.refunded),
            "decline_code": None, "advice": None,
        }  # fmt: skip
        return Answer(200, orjson.dumps(body))


WHEN = "2026-01-01T00:00:00Z"


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}
