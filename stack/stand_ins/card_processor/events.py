import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from stack.stand_ins.card_processor.book import Book, Json, new_id, now
from stack.stand_ins.faults import Faults
from stack.stand_ins.reordering import Reordering

API_VERSION: Final = "2026-10-28.endive"
_MANY: Final = 1000


@dataclass
class Events:
    """Records what happened and queues it for each endpoint that asked, in the transaction it happened in."""

    book: Book
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _reordering: Reordering = field(default_factory=Reordering)
    _endpoints: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Read the endpoints again after one was added or removed."""
        self._endpoints = self.book.listed("we", limit=_MANY)[0]

    def emit(self, kind: str, thing: Json, hit: Faults, idempotency_key: str | None = None) -> None:
        """Record the event *kind* about *thing*, as it is now."""
        event: dict[str, Any] = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": now(),
            "data": {"object": thing},
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": idempotency_key},
            "type": kind,
        }
        asking = [one["id"] for one in self._endpoints if _wants(one["enabled_events"], kind)]
        event["pending_webhooks"] = len(asking)
        self.book.add("evt", event, parent=kind)
        for endpoint in asking:
            due = self._reordering.due(hit)
            for extra in range(2 if hit.duplicate_webhooks else 1):
                self.book.db.execute(
                    "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)",
                    (event["id"], endpoint, due + extra * 0.01),
                )
        if asking:
            self.wake.set()


def _wants(enabled: list[str], kind: str) -> bool:
    return any(one in ("*", kind) or (one.endswith(".*") and kind.startswith(one[:-1])) for one in enabled)
