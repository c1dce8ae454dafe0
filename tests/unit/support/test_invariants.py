"""The invariants are only worth their answer if each of them can say no."""

from collections import Counter
from collections.abc import Callable

import pytest

from stack.invariants import Json
from tests.support.invariants import Placed, Seen, violations

TOTAL = {"amount": 1999, "currency": "EUR"}
PAID = Placed("o1", "AAAA-BBBB-CCCC", "ada@example.org", TOTAL, "key-a")
LEFT = Placed("o2", "DDDD-EEEE-FFFF", "bob@example.org", TOTAL, "key-b", cancelled=True)


def well() -> Seen:
    """One order paid, one cancelled after its charge: as it should be."""
    common = {"total": TOTAL, "lines": [{"sku": "tea", "quantity": 1}]}
    paid = {"status": "paid", "payment_status": "captured", "number": PAID.number, "note": "key-a", **common}
    paid["refunded"] = {"amount": 0, "currency": "EUR"}
    left = {"status": "cancelled", "payment_status": "refunded", "number": LEFT.number, "note": "key-b", **common}
    left["refunded"] = TOTAL
    return Seen(
        orders={"o1": paid, "o2": left},
        intents=[intent("pi_1", "o1"), intent("pi_2", "o2")],
        refunds=[{"status": "succeeded", "payment_intent": "pi_2", "amount": 1999}],
        payments={"o1": [payment(0)], "o2": [payment(1999)]},
        mails=Counter(
            [
                (PAID.email, f"Order {PAID.number} is confirmed"),
                (LEFT.email, f"Order {LEFT.number} is confirmed"),
                (LEFT.email, f"Order {LEFT.number} is cancelled"),
            ]
        ),
        stock={"tea": (10, 9)},
        dead_letters={"orders": 0},
    )


def intent(id_: str, order_id: str, amount: int = 1999) -> dict[str, object]:
    metadata = {"order_id": order_id}
    return {"id": id_, "status": "succeeded", "metadata": metadata, "amount_received": amount, "currency": "eur"}


def payment(refunded: int) -> dict[str, object]:
    return {"captured": TOTAL, "refunded": {"amount": refunded, "currency": "EUR"}}


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert violations([PAID, LEFT], well()) == []


def lost_mail(seen: Seen) -> None:
    del seen.mails[PAID.email, f"Order {PAID.number} is confirmed"]


def recorded_less(seen: Seen) -> None:
    seen.payments = {"o1": [], "o2": [payment(1999)]}


def same_key_twice(seen: Seen) -> None:
    seen.orders["o3"] = {**seen.orders["o1"], "number": "GGGG"}
    seen.intents.append(intent("pi_3", "o3"))


CASES: dict[str, tuple[Callable[[Seen], object], str]] = {
    "lost": (lambda seen: seen.orders.pop("o1"), "o1: accepted with 201, but there is no such order"),
    "stuck": (lambda seen: seen.orders["o1"].update(status="placed", payment_status="pending"), "o1: stuck"),
    "charged twice": (lambda seen: seen.intents.append(intent("pi_9", "o1")), "o1: charged 2 times"),
    "never charged": (lambda seen: seen.intents.pop(0), "o1: paid/captured, but the processor keeps 0"),
    "another amount": (lambda seen: seen.intents[0].update(amount_received=1998), "o1: costs"),
    "another currency": (lambda seen: seen.intents[0].update(currency="usd"), "o1: costs"),
    "not refunded": (lambda seen: seen.refunds.clear(), "o2: cancelled/refunded, but the processor keeps 1999"),
    "refunded twice": (lambda seen: seen.refunds.append(seen.refunds[0]), "o2: cancelled/refunded, but the processor"),
    "refund unheard": (lambda seen: seen.orders["o2"].update(payment_status="captured"), "o2: cancelled/captured"),
    "cancel forgotten": (lambda seen: seen.orders["o2"].update(status="paid"), "o2: its cancelling was accepted"),
    "records differ": (recorded_less, "o1: payments recorded 0 as captured"),
    "no mail": (lost_mail, "o1: paid, but no mail says so"),
    "mail twice": (lambda seen: seen.mails.update([*seen.mails][:1]), f"{PAID.email}: 'Order {PAID.number} is"),
    "another's number": (lambda seen: seen.orders["o1"].update(number="ZZZZ"), "o1: is not the order"),
    "one key, two orders": (same_key_twice, "o1, o3: 2 orders under one Idempotency-Key"),
    "charged for nobody": (lambda seen: seen.intents.append(intent("pi_9", "gone")), "gone: the processor took money"),
    "stock leaks": (lambda seen: seen.stock.update(tea=(10, 8)), "tea: 10 were there and 1 are sold, but 8"),
    "oversold": (lambda seen: seen.stock.update(tea=(0, -1)), "tea: -1 in stock"),
    "dead letters": (lambda seen: seen.dead_letters.update(orders=2), "orders: 2 dead letters"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_violation_is_named(case: str) -> None:
    harm, told = CASES[case]
    seen = well()
    harm(seen)
    found = violations([PAID, LEFT], seen)
    assert any(each.startswith(told) for each in found), found


LIVED = Placed("o3", "GGGG-HHHH-JJJJ", "eve@example.org", {"amount": 7996, "currency": "EUR"}, "key-c",
               edited=True, shipped=4, returned=1)  # fmt: skip


def lived() -> Seen:
    """One order of three pieces that became four, was sent in two parcels, and came back in part."""
    parcels = [{"delivered_at": "2026-01-01T00:00:00Z"}, {"delivered_at": "2026-01-02T00:00:00Z"}]
    order = {
        "status": "partly_returned", "payment_status": "partly_refunded", "number": LIVED.number, "note": "key-c",
        "total": LIVED.total, "refunded": {"amount": 1999, "currency": "EUR"}, "shipments": parcels,
        "lines": [{"sku": "tea", "quantity": 4, "shipped": 4, "returned": 1}], "returns": [{"refund": TOTAL}],
    }  # fmt: skip
    captured, back = {"amount": 7996, "currency": "EUR"}, {"amount": 1999, "currency": "EUR"}
    letters = ["is confirmed", "was changed", *["is on its way", "was delivered"] * 2]
    return Seen(
        orders={"o3": order},
        intents=[intent("pi_1", "o3", 5997), intent("pi_2", "o3")],
        refunds=[{"status": "succeeded", "payment_intent": "pi_2", "amount": 1999}],
        payments={"o3": [{"captured": captured, "refunded": back}]},
        mails=Counter((LIVED.email, f"Order {LIVED.number} {said}") for said in letters),
        stock={"tea": (10, 6)},
    )


def line(seen: Seen) -> Json:
    found: Json = seen.orders["o3"]["lines"][0]
    return found


LIVES: dict[str, tuple[Callable[[Seen], object], str]] = {
    "charged a third time": (lambda seen: seen.intents.append(intent("pi_9", "o3")), "o3: charged 3 times"),
    "never charged at first": (lambda seen: seen.intents.pop(0), "o3: partly_returned/partly_refunded, but the proc"),
    "return not refunded": (lambda seen: seen.refunds.clear(), "o3: partly_returned/partly_refunded, but the proces"),
    "refund not shown": (lambda seen: seen.orders["o3"]["refunded"].update(amount=0), "o3: shows 0 as refunded"),
    "status behind": (lambda seen: seen.orders["o3"].update(status="delivered"), "o3: delivered, but by its parcels"),
    "stuck": (lambda seen: seen.orders["o3"].update(payment_status="pending"), "o3: stuck"),
    "all refunded, it says": (lambda seen: seen.orders["o3"].update(payment_status="refunded"), "o3: partly_returned/"),
    "parcel forgotten": (lambda seen: line(seen).update(shipped=3), "o3: 4 pieces were accepted as shipped"),
    "return forgotten": (lambda seen: line(seen).update(returned=0), "o3: 1 pieces were accepted as returned"),
    "return twice": (lambda seen: line(seen).update(returned=2), "o3: 1 pieces were accepted as returned"),
    "edit forgotten": (lambda seen: seen.orders["o3"].update(total=TOTAL), "o3: is not the order that was accepted"),
    "back on sale by itself": (lambda seen: seen.stock.update(tea=(10, 7)), "tea: 10 were there and 4 are sold"),
    "no word of the parcel": (
        lambda seen: seen.mails.pop((LIVED.email, f"Order {LIVED.number} is on its way")), "o3: partly_returned, but no"
    ),
    "a parcel told thrice": (
        lambda seen: seen.mails.update([(LIVED.email, f"Order {LIVED.number} is on its way")]), LIVED.email
    ),
}  # fmt: skip


def test_nothing_is_wrong_with_a_whole_life() -> None:
    assert violations([LIVED], lived()) == []


@pytest.mark.parametrize("case", LIVES)
def test_each_violation_of_a_whole_life_is_named(case: str) -> None:
    harm, told = LIVES[case]
    seen = lived()
    harm(seen)
    found = violations([LIVED], seen)
    assert any(each.startswith(told) for each in found), found


def test_every_violation_is_told_not_just_the_first() -> None:
    seen = well()
    seen.intents.append(intent("pi_9", "o1"))
    seen.refunds.clear()
    assert {each[:2] for each in violations([PAID, LEFT], seen)} == {"o1", "o2"}


def test_a_mail_may_repeat_only_where_that_is_allowed() -> None:
    seen = well()
    seen.mails.update([*seen.mails][:1])
    assert violations([PAID, LEFT], seen, mails_may_repeat=1) == []
