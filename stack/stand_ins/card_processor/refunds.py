import time
from typing import Final

from stack.stand_ins.card_processor import shapes
from stack.stand_ins.card_processor.book import Book, Json
from stack.stand_ins.card_processor.call import Call
from stack.stand_ins.card_processor.cards import card
from stack.stand_ins.card_processor.errors import Refused, invalid
from stack.stand_ins.card_processor.events import Events
from stack.stand_ins.faults import NONE

_CREATE: Final = frozenset(
    {"payment_intent", "charge", "amount", "reason", "metadata", "instructions_email", "currency", "origin"}
)
_REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")
_HIGHEST: Final = 99_999_999
# A bank that returns a refund takes days; a test has a second
_LATE_S: Final = 1.0


def create(call: Call) -> Json:
    """`POST /v1/refunds`: give back all that is left or a part, as often as wished, never more than captured."""
    form = call.form
    form.allow(_CREATE)
    reason, metadata = form.choice("reason", _REASONS), form.metadata()
    charge = _charge(call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    asked = form.integer("amount", 1, _HIGHEST)
    if left <= 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    amount = asked or left
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise invalid(message, "amount", "amount_too_large")
    if call.hit.tamper_amount:
        # downwards where possible, so that even a wrong record stays within what was captured
        amount += -1 if amount > 1 or left == 1 else 1
    made = shapes.refund(charge, amount, reason, metadata)
    call.book.add("re", made, parent=charge["payment_intent"])
    _move(call.book, charge, amount)
    call.emit("refund.created", made)
    call.emit("charge.refunded", charge)
    if card(charge["payment_method"]).refund_fails:
        call.book.db.execute("INSERT INTO late_failures VALUES (?, ?)", (made["id"], time.time() + _LATE_S))
        call.events.wake.set()
    return made


def _charge(call: Call) -> Json:
    key, charge = call.form.text("payment_intent"), call.form.text("charge")
    if (key is None) == (charge is None):
        raise invalid("One of the following params should be provided: payment_intent or charge.", "payment_intent")
    if key is not None:
        paid = call.book.get("pi", key, "payment_intent")
        if paid["status"] != "succeeded":
            message = f"This PaymentIntent ({key}) does not have a successful charge to refund."
            raise invalid(message, "payment_intent")
        charge = paid["latest_charge"]
    found = call.book.get("ch", charge or "", "charge")
    if not (found["paid"] and found["captured"]):
        raise Refused(
            400,
            type="invalid_request_error",
            code="charge_not_refundable",
            message=f"Charge {found['id']} was never captured.",
            param="charge",
        )
    return found


def _move(book: Book, charge: Json, amount: int) -> None:
    refunded = charge["amount_refunded"] + amount
    charge |= {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]}
    book.save(charge)


def fail_late(book: Book, events: Events, key: str) -> None:
    """Turn a refund that seemed to go through into a failed one, as some banks do."""
    made = book.get("re", key)
    made |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    book.save(made)
    _move(book, book.get("ch", made["charge"]), -made["amount"])
    book.db.execute("DELETE FROM late_failures WHERE refund = ?", (key,))
    events.emit("refund.failed", made, NONE)
