"""What must hold of every order once the system has come to rest, whatever happened on the way; pure.

`Seen` is what anybody can see from outside: the services' lists, the processor's own record, the mailbox.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from stack.invariants import LEFT, Json, agreement, due, parcels, standing


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that a client was told is accepted."""

    id: str
    number: str
    email: str
    total: Json
    key: str
    """The Idempotency-Key, which the client also wrote into the order's note."""
    cancelled: bool = False
    """Whether a wish to cancel was accepted as well."""
    edited: bool = False
    """Whether an edit was accepted as well; *total* is what it came to cost."""
    shipped: int = 0
    """How many pieces staff were told have been sent."""
    returned: int = 0
    """How many pieces staff were told have come back."""


@dataclass(slots=True)
class Seen:
    """The world from outside."""

    orders: dict[str, Json] = field(default_factory=dict[str, Json])
    intents: list[Json] = field(default_factory=list[Json])
    refunds: list[Json] = field(default_factory=list[Json])
    payments: dict[str, list[Json]] | None = None
    """By order; None where nobody asked, since that is one call an order."""
    mails: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """How often each subject about an order, which names it, came to each address."""
    mailed_at: datetime | None = None
    """When the last of these mails came."""
    stock: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By sku: what was there at first, and what is there now."""
    dead_letters: dict[str, int] = field(default_factory=dict[str, int])


def violations(placed: Iterable[Placed], seen: Seen, *, mails_may_repeat: int = 0) -> list[str]:
    """Return everything that is wrong, each with the order it is wrong with; nothing means all is well.

    *mails_may_repeat* is how many mails may have come twice, because the answer to the first was lost.
    """
    accepted = {order.id: order for order in placed}
    found = [f"{id_}: accepted with 201, but there is no such order" for id_ in accepted.keys() - seen.orders.keys()]
    intents = _by_order(seen)
    returned = _returned(seen)
    for id_, order in seen.orders.items():
        charges = 2 if id_ in accepted and accepted[id_].edited else 1
        found += [f"{id_}: {what}" for what in _money(order, intents.get(id_, []), returned, charges)]
        if seen.payments is not None:
            found += [f"{id_}: {what}" for what in _records(order, seen.payments.get(id_, []), intents.get(id_, []))]
    for id_ in accepted.keys() & seen.orders.keys():
        found += [f"{id_}: {what}" for what in _promises(accepted[id_], seen.orders[id_], seen.mails)]
    found += [f"{id_}: the processor took money for an order that is not here" for id_ in _strangers(seen, intents)]
    found += _keys(seen)
    found += _stock(seen)
    found += _repeated(seen, mails_may_repeat)
    found += [f"{name}: {count} dead letters" for name, count in seen.dead_letters.items() if count]
    return found


def _by_order(seen: Seen) -> dict[str, list[Json]]:
    """Return the succeeded intents of each order, by the processor's own record."""
    by_order: dict[str, list[Json]] = {}
    for intent in seen.intents:
        if intent["status"] == "succeeded":
            by_order.setdefault(str(intent["metadata"].get("order_id")), []).append(intent)
    return by_order


def _returned(seen: Seen) -> Counter[str]:
    returned: Counter[str] = Counter()
    for refund in seen.refunds:
        if refund["status"] == "succeeded":
            returned[str(refund["payment_intent"])] += int(refund["amount"])
    return returned


def _strangers(seen: Seen, intents: dict[str, list[Json]]) -> set[str]:
    return intents.keys() - seen.orders.keys()


def _money(order: Json, taken: list[Json], returned: Counter[str], charges: int) -> Iterator[str]:
    """At most one charge, of the order's amount, and one more for an edit; kept is what is due, and no more."""
    if len(taken) > charges:
        yield f"charged {len(taken)} times: {', '.join(intent['id'] for intent in taken)}"
    for intent in taken:
        at_processor = (intent["amount_received"], str(intent["currency"]).upper())
        if charges == 1 and at_processor != (order["total"]["amount"], order["total"]["currency"]):
            yield f"costs {order['total']}, but the processor took {at_processor}"
    kept = sum(int(intent["amount_received"]) - returned[intent["id"]] for intent in taken)
    if kept != due(order):
        yield f"{standing(order)}, but the processor keeps {kept}"
    yield from _settled(order, kept, charged=bool(taken))


def _settled(order: Json, kept: int, *, charged: bool) -> Iterator[str]:
    """Nothing waits any more: it is paid, or declined, or left and the charge, if there was one, is back."""
    if order["status"] in LEFT:
        if charged and order["payment_status"] != "refunded":
            yield f"{standing(order)}, though its charge went back"
    elif order["status"] == "placed" or order["payment_status"] in {"pending", "authorised", "unknown"}:
        if order["payment_status"] != "declined":
            yield f"stuck: {standing(order)}, charged: {charged}"
    elif order["payment_status"] != "declined" and (order["payment_status"] == "refunded") != (kept == 0):
        yield f"{standing(order)}, and the processor keeps {kept}"
    yield from parcels(order)


def _records(order: Json, payments: list[Json], taken: list[Json]) -> Iterator[str]:
    """Money here is money there: payments' own record against the processor's."""
    captured = sum(payment["captured"]["amount"] for payment in payments)
    received = sum(int(intent["amount_received"]) for intent in taken)
    yield from agreement(order, payments)
    if captured != received:
        yield f"payments recorded {captured} as captured, the processor {received}"
    refunded = sum(payment["refunded"]["amount"] for payment in payments)
    if captured - refunded != due(order):
        yield f"{order['status']}, and payments recorded {refunded} of {captured} as refunded"


def _promises(placed: Placed, order: Json, mails: Counter[tuple[str, str]]) -> Iterator[str]:
    """What the client was told stays true, and is told by mail."""
    if (order["number"], order["total"], order["note"]) != (placed.number, placed.total, placed.key):
        yield "is not the order that was accepted under this id"
    if placed.cancelled and order["status"] not in LEFT:
        yield f"its cancelling was accepted, but it is {order['status']}"
    for what in ("shipped", "returned"):
        if (told := getattr(placed, what)) != (pieces := sum(line.get(what, 0) for line in order["lines"])):
            yield f"{told} pieces were accepted as {what}, and it says {pieces}"
    for said in _letters(placed, order):
        if not mails[placed.email, f"Order {placed.number} {said}"]:
            yield f"{order['status']}, but no mail says so: it {said}"


def _letters(placed: Placed, order: Json) -> Iterator[str]:
    """Yield what must have been said by mail of an order that came to rest where it is."""
    if order["status"] == "cancelled":
        yield "is cancelled"
    elif order["status"] not in LEFT | {"placed"}:
        yield "is confirmed"
    if order.get("shipments"):
        yield "is on its way"
    if placed.edited:
        yield "was changed"


def _keys(seen: Seen) -> Iterator[str]:
    notes = Counter(order["note"] for order in seen.orders.values() if order["note"])
    for key, count in notes.items():
        if count > 1:
            ids = ", ".join(id_ for id_, order in seen.orders.items() if order["note"] == key)
            yield f"{ids}: {count} orders under one Idempotency-Key"


def _stock(seen: Seen) -> Iterator[str]:
    sold: Counter[str] = Counter()
    for order in seen.orders.values():
        if order["status"] not in LEFT:
            sold.update({line["sku"]: line["quantity"] for line in order["lines"]})
    for sku, (first, now) in seen.stock.items():
        if now < 0:
            yield f"{sku}: {now} in stock"
        if now != first - sold[sku]:
            yield f"{sku}: {first} were there and {sold[sku]} are sold, but {now} are left"


def _repeated(seen: Seen, allowed: int) -> Iterator[str]:
    """Each letter comes once; that a parcel left or arrived, once for each parcel."""
    most: Counter[str] = Counter()
    for order in seen.orders.values():
        parcels = order.get("shipments", ())
        most[f"Order {order['number']} is on its way"] = len(parcels)
        most[f"Order {order['number']} was delivered"] = sum(bool(parcel["delivered_at"]) for parcel in parcels)
    twice = {mail: count for mail, count in seen.mails.items() if count > max(1, most[mail[1]])}
    if sum(count - max(1, most[mail[1]]) for mail, count in twice.items()) > allowed:
        for (to, subject), count in twice.items():
            yield f"{to}: {subject!r} came {count} times"
