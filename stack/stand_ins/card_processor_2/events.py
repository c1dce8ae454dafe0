import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from stack.stand_ins.card_processor_2.book import Book, Json, new_id, now
from stack.stand_ins.faults import Faults

# Long enough for several events to gather, short enough for a test to wait for
_REORDER_WINDOW_S: Final = 0.3


@dataclass
class Events:
    """Queues what happened for each workflow, in the transaction it happened in."""

    book: Book
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _window_ends: float = 0

    def emit(self, kind: str, payment: Json, action: Json, hit: Faults) -> None:
        """Tell the workflows about an action on a payment."""
        data: dict[str, Any] = {
            "id": payment["id"],
            "action_id": action["id"],
            "reference": action.get("reference") or payment.get("reference"),
            "amount": action["amount"],
            "currency": payment["currency"],
            "processed_on": action["processed_on"],
            "response_code": action.get("response_code"),
            "response_summary": action.get("response_summary"),
            "balances": payment["balances"],
            "metadata": payment["metadata"] | action.get("metadata", {}),
        }
        told = {"id": new_id("evt"), "source": "gateway", "type": kind, "timestamp": now(), "version": "1.0.0"}
        body = orjson.dumps(told | {"data": data})
        due = self._due(hit)
        for (workflow,) in self.book.db.execute("SELECT id FROM workflows").fetchall():
            for extra in range(2 if hit.duplicate_webhooks else 1):
                self.book.db.execute(
                    "INSERT INTO deliveries (workflow, due, body) VALUES (?, ?, ?)",
                    (workflow, due + extra * 0.01, body),
                )
        self.wake.set()

    def _due(self, hit: Faults) -> float:
        at = time.time()
        if not hit.reorder_webhooks:
            return at
        # Events of one window share one due time, and what is due at one time is sent newest first
        if self._window_ends < at:
            self._window_ends = at + _REORDER_WINDOW_S
        return self._window_ends
