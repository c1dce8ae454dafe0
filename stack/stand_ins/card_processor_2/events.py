import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from stack.stand_ins.card_processor_2.book import Book, Json, new_id, now
from stack.stand_ins.faults import Faults
from stack.stand_ins.reordering import Reordering


@dataclass
class Events:
    """Queues what happened for each workflow, in the transaction it happened in."""

    book: Book
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _reordering: Reordering = field(default_factory=Reordering)

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
        due = self._reordering.due(hit)
        for (workflow,) in self.book.db.execute("SELECT id FROM workflows").fetchall():
            for extra in range(2 if hit.duplicate_webhooks else 1):
                self.book.db.execute(
                    "INSERT INTO deliveries (workflow, due, body) VALUES (?, ?, ?)",
                    (workflow, due + extra * 0.01, body),
                )
        self.wake.set()
