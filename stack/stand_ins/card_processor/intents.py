import hmac
import re
from typing import Final

from stack.stand_ins.card_processor import shapes
from stack.stand_ins.card_processor.book import Json, now
from stack.stand_ins.card_processor.call import Call
from stack.stand_ins.card_processor.cards import Card, card
from stack.stand_ins.card_processor.errors import Refused, invalid, unexpected_state

_SHARED: Final = frozenset(
    {
        "capture_method",
        "error_on_requires_action",
        "off_session",
        "payment_method",
        "payment_method_options",
        "receipt_email",
        "return_url",
        "setup_future_usage",
        "shipping",
        "use_stripe_sdk",
    }
)
_CREATE: Final = _SHARED | {
    "amount",
    "automatic_payment_methods",
    "confirm",
    "confirmation_method",
    "currency",
    "customer",
    "description",
    "metadata",
    "payment_method_types",
    "statement_descriptor",
    "statement_descriptor_suffix",
}
_CONFIRM: Final = _SHARED | {"client_secret"}
_CAPTURE: Final = frozenset({"amount_to_capture", "metadata", "statement_descriptor", "final_capture"})
_HIGHEST: Final = 99_999_999
_CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELLABLE: Final = (*_CONFIRMABLE, "requires_capture", "processing")


def create(call: Call) -> Json:
    """`POST /v1/payment_intents`: open an intent and, with `confirm`, charge it."""
    form = call.form
    form.allow(_CREATE)
    form.required("amount")
    amount = form.integer("amount", 1, _HIGHEST) or 0
    currency = form.required("currency").lower()
    if not re.fullmatch("[a-z]{3}", currency):
        raise invalid(f"Invalid currency: {currency[:10]}", "currency")
    capture = form.choice("capture_method", ("automatic", "automatic_async", "manual")) or "automatic"
    method, confirm = form.text("payment_method"), form.flag("confirm")
    if confirm and method is None:
        raise invalid("A payment method is needed to confirm a PaymentIntent.", "payment_method", "parameter_missing")
    made = shapes.intent(amount + (1 if call.hit.tamper_amount else 0), currency, capture, form.metadata())
    for name in ("customer", "description", "receipt_email", "statement_descriptor"):
        made[name] = form.text(name)
    used = card(method) if method is not None else None
    if used is not None:
        made |= {"payment_method": method, "status": "requires_confirmation"}
    call.book.add("pi", made)
    call.emit("payment_intent.created", made)
    return _attempt(call, made, used) if confirm and used is not None else made


def confirm(call: Call) -> Json:
    """`POST /v1/payment_intents/{id}/confirm`."""
    call.form.allow(_CONFIRM)
    made = call.book.get("pi", call.path["id"], "intent")
    if made["status"] not in _CONFIRMABLE:
        raise unexpected_state("confirmed", made, ", ".join(_CONFIRMABLE))
    method = call.form.text("payment_method") or made["payment_method"]
    if method is None:
        raise invalid("A payment method is needed to confirm a PaymentIntent.", "payment_method", "parameter_missing")
    used = card(method)
    return _attempt(call, made | {"payment_method": method, "next_action": None}, used)


def _attempt(call: Call, made: Json, used: Card) -> Json:
    """Charge the card, or ask the customer first, or record the decline and raise it."""
    if used.asks_customer and call.form.flag("off_session"):
        used = Card(used.brand, used.last4, "authentication_required", "authentication_required")
    elif used.asks_customer:
        return _ask_customer(call, made)
    if used.code is not None:
        return _decline(call, made, used)
    return pay(call, made, used)


def _ask_customer(call: Call, made: Json) -> Json:
    back = call.form.text("return_url")
    url = f"{call.origin}/authenticate/{made['id']}?client_secret={made['client_secret']}"
    made["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": url}}
    made["status"] = "requires_action"
    call.book.save(made)
    call.emit("payment_intent.requires_action", made)
    return made


def pay(call: Call, made: Json, used: Card) -> Json:
    """Take the money, or only reserve it where the intent is captured by hand."""
    manual = made["capture_method"] == "manual"
    charge = shapes.charge(made, used, captured=not manual)
    made |= {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    made |= (
        {"status": "requires_capture", "amount_capturable": made["amount"]}
        if manual
        else {"status": "succeeded", "amount_received": made["amount"]}
    )
    call.book.add("ch", charge, parent=made["id"])
    call.book.save(made)
    call.emit("payment_intent.amount_capturable_updated" if manual else "payment_intent.succeeded", made)
    return made


def _decline(call: Call, made: Json, used: Card) -> Json:
    charge = shapes.charge(made, used, captured=False)
    error = {"type": "card_error", "code": used.code, "decline_code": used.decline_code, "message": used.message}
    error = {name: value for name, value in error.items() if value is not None}
    error |= {"charge": charge["id"], "doc_url": f"https://stripe.com/docs/error-codes/{used.code}"}
    made |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    made |= {"latest_charge": charge["id"], "last_payment_error": error}
    call.book.add("ch", charge, parent=made["id"])
    call.book.save(made)
    call.emit("payment_intent.payment_failed", made)
    raise Refused(402, kept=True, **error, payment_intent=made)


def capture(call: Call) -> Json:
    """`POST /v1/payment_intents/{id}/capture`: take all that is reserved or a part; the rest is let go."""
    call.form.allow(_CAPTURE)
    made = call.book.get("pi", call.path["id"], "intent")
    if made["status"] != "requires_capture":
        raise unexpected_state("captured", made, "requires_capture")
    amount = call.form.integer("amount_to_capture", 1, _HIGHEST) or made["amount_capturable"]
    if amount > made["amount_capturable"]:
        message = f"The amount to capture, {amount}, is above what can be captured, {made['amount_capturable']}."
        raise invalid(message, "amount_to_capture", "amount_too_large")
    charge = call.book.get("ch", made["latest_charge"])
    charge |= {"captured": True, "amount_captured": amount}
    made |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    call.book.save(charge)
    call.book.save(made)
    call.emit("payment_intent.succeeded", made)
    return made


def cancel(call: Call) -> Json:
    """`POST /v1/payment_intents/{id}/cancel`: void what was reserved."""
    call.form.allow(frozenset({"cancellation_reason"}))
    made = call.book.get("pi", call.path["id"], "intent")
    reasons = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
    reason = call.form.choice("cancellation_reason", reasons)
    if made["status"] not in _CANCELLABLE:
        raise unexpected_state("canceled", made, ", ".join(_CANCELLABLE))
    made |= {"status": "canceled", "canceled_at": now(), "cancellation_reason": reason, "amount_capturable": 0}
    call.book.save(made | {"next_action": None})
    call.emit("payment_intent.canceled", made)
    return made


def authenticate(call: Call, *, agreed: bool) -> Json:
    """Finish what the customer was asked for on the page; a decline is recorded and raised."""
    made = pending(call)
    used = card(made["payment_method"])
    if agreed:
        return pay(call, made, used)
    message = "The customer did not authenticate the payment."
    return _decline(call, made, Card(used.brand, used.last4, "payment_intent_authentication_failure", None, message))


def pending(call: Call) -> Json:
    """Return the intent that waits for its customer, if the link's secret is right."""
    made = call.book.get("pi", call.path["id"], "intent")
    if not hmac.compare_digest(made["client_secret"].encode(), (call.form.text("client_secret") or "").encode()):
        raise invalid("The link's client_secret does not belong to this payment.", "client_secret")
    if made["status"] != "requires_action":
        raise unexpected_state("authenticated", made, "requires_action")
    return made
