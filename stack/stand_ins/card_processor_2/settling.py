"""What the processor accepted comes true a moment later: money taken, let go, given back, or refused by the bank."""

import time
from typing import Final

from stack.stand_ins.card_processor_2.book import Book, Json
from stack.stand_ins.card_processor_2.cards import CARDS
from stack.stand_ins.card_processor_2.events import Events
from stack.stand_ins.database import transaction
from stack.stand_ins.faults import Faults

# Long enough for an answer to be seen as not final, short enough for a test
_LATER_S: Final = 0.1
_REFUSED: Final = "20005"
_TOLD: Final = {"Capture": "payment_captured", "Void": "payment_voided", "Refund": "payment_refunded"}
_UNTOLD: Final = {each: f"payment_{each.lower()}_declined" for each in _TOLD}


def later(book: Book, payment: Json, action: Json) -> None:
    """Have *action* come true in a moment."""
    due = time.time() + _LATER_S
    book.db.execute("INSERT INTO pending VALUES (?, ?, ?)", (action["id"], payment["id"], due))


def settle_due(book: Book, events: Events, hit: Faults) -> float | None:
    """Settle what is due, each in a transaction; return when the next will be, if there is one."""
    query = "SELECT action, payment FROM pending WHERE due <= ? ORDER BY due LIMIT 100"
    for action, payment in book.db.execute(query, (time.time(),)).fetchall():
        with transaction(book.db):
            book.db.execute("DELETE FROM pending WHERE action = ?", (action,))
            found = book.find(payment)
            if found is not None:
                _settle(book, events, found, book.action(action), hit)
    row = book.db.execute("SELECT min(due) FROM pending").fetchone()
    return float(row[0]) if row[0] is not None else None


def _settle(book: Book, events: Events, payment: Json, action: Json, hit: Faults) -> None:
    kind, used = action["type"], CARDS[payment["_token"]]
    refused = (kind == "Refund" and used.refund_fails) or (kind == "Capture" and used.capture_fails)
    book.settle(action, _REFUSED if refused else "10000")
    if not refused:
        _move(payment, kind, action["amount"])
    elif kind == "Refund":
        payment["balances"]["available_to_refund"] += action["amount"]
    book.save(payment)
    events.emit((_UNTOLD if refused else _TOLD)[kind], payment, action, hit)


def _move(payment: Json, kind: str, amount: int) -> None:
    sums = payment["balances"]
    if kind == "Capture":
        sums |= {"total_captured": amount, "available_to_refund": amount}
        sums |= {"available_to_capture": 0, "available_to_void": 0}
        payment["status"] = "Captured" if amount == payment["amount"] else "Partially Captured"
    elif kind == "Void":
        sums |= {"total_voided": amount, "available_to_capture": 0, "available_to_void": 0}
        payment["status"] = "Voided"
    else:
        sums["total_refunded"] += amount
        whole = sums["total_refunded"] == sums["total_captured"]
        payment["status"] = "Refunded" if whole else "Partially Refunded"
