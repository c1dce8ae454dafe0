"""Payments as orders may rely on it, in thirty lines: it hears facts in any order and as often as they come."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.chassis.sidecar import Answer
from tests.store.orders.shop import _fact


@dataclass
class Till:
    """The payment of one order."""

    view: dict[str, Any]
    captured: int = 0
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
        elif topic == "order-returned":
            self.returns[fact["return_id"]] = fact["refund"]["amount"]

    def act(self, *, refuse: bool) -> tuple[str, dict[str, Any]] | None:
        """Take or return what is missing or too much; return what is said of it, if anything was done."""
        missing = self.target - self.kept
        if missing == 0:
            return None
        self.sequence += 1
        about = _fact(self.view, self.sequence)
        if missing < 0:
            self.refunded -= missing
            said = {"refund_id": f"00000000-0000-0000-0000-{self.sequence:012}", "amount": eur(-missing)}
            return "payment-refunded", about | said | {"refunded": eur(self.refunded), "refunded_at": WHEN}
        self.refused = refuse
        if refuse:
            said = {"decline_code": "expired_card", "advice": "x", "captured": eur(self.captured)}
            return "payment-declined", about | said | {"declined_at": WHEN}
        self.captured += missing
        return "payment-captured", about | {"amount": eur(missing), "captured": eur(self.captured), "captured_at": WHEN}

    def answer(self) -> Answer:
        """Return what orders is told when it asks."""
        status = "succeeded" if self.kept == self.target and self.captured else "processing"
        body = {
            "payment_id": _fact(self.view, 1)["payment_id"], "sequence": max(1, self.sequence), "status": status,
            "amount": eur(self.price), "captured": eur(self.captured), "refunded": eur(self.refunded),
            "decline_code": None, "advice": None,
        }  # fmt: skip
        return Answer(200, orjson.dumps(body))


WHEN = "2026-01-01T00:00:00Z"


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}
