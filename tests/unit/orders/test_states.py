import itertools
from typing import Any

import pytest

from apps.orders import domain
from apps.orders.domain import IllegalTransitionError
from apps.orders.states import (
    CANCELS,
    FACTS,
    FINAL,
    NEW,
    FulfilmentStatus,
    OrderStatus,
    PaymentStatus,
    Standing,
    Trigger,
)
from apps.orders.transitions import FULFILMENT_TRANSITIONS, ORDER_TRANSITIONS, PAYMENT_TRANSITIONS

EVERY_STANDING = [Standing(*axes) for axes in itertools.product(OrderStatus, PaymentStatus, FulfilmentStatus)]
WISHES = set(Trigger) - FACTS

# Written out once more, by hand: a row is what was, a column what happened; "-" is not possible, or nothing new.
ORDER_TABLE = """
                 payment_captured customer_cancelled support_cancelled deadline_passed
placed           paid             cancelled          cancelled         expired
paid             -                cancelled          cancelled         -
partly_shipped   -                -                  -                 -
shipped          -                -                  -                 -
partly_delivered -                -                  -                 -
delivered        -                -                  -                 -
partly_returned  -                -                  -                 -
returned         -                -                  -                 -
cancelled        -                -                  -                 -
expired          -                -                  -                 -

                 edited           edited_to_owe      edited_to_cover
placed           placed           placed             paid
paid             paid             paid               paid
partly_shipped   partly_shipped   partly_shipped     partly_shipped
shipped          -                -                  -
partly_delivered -                -                  -
delivered        -                -                  -
partly_returned  -                -                  -
returned         -                -                  -
cancelled        -                -                  -
expired          -                -                  -

                 shipped_in_part  shipped  delivered_in_part delivered       returned_in_part returned
placed           partly_shipped   shipped  -                 -               -                -
paid             partly_shipped   shipped  -                 -               -                -
partly_shipped   partly_shipped   shipped  partly_shipped    delivered       -                -
shipped          -                -        partly_delivered  delivered       partly_returned  returned
partly_delivered -                -        partly_delivered  delivered       partly_returned  returned
delivered        -                -        -                 -               partly_returned  returned
partly_returned  -                -        partly_returned   partly_returned partly_returned  returned
returned         -                -        returned          returned        -                -
cancelled        -                -        -                 -               -                -
expired          -                -        -                 -               -                -
"""
PAYMENT_TABLE = """
                payment_authorised payment_captured payment_fell_short payment_declined payment_voided payment_unknown
pending         authorised         captured         pending            declined         pending        unknown
authorised      -                  captured         pending            declined         pending        -
captured        -                  -                -                  -                -              -
declined        authorised         captured         pending            declined         declined       -
partly_refunded -                  -                -                  -                -              -
refunded        -                  -                -                  -                -              -
unknown         authorised         captured         pending            declined         pending        -

                payment_partly_refunded payment_refunded refund_noted refund_failed
pending         partly_refunded         refunded         pending      pending
authorised      partly_refunded         refunded         -            authorised
captured        partly_refunded         refunded         -            captured
declined        partly_refunded         refunded         declined     declined
partly_refunded partly_refunded         refunded         -            partly_refunded
refunded        -                       -                -            refunded
unknown         partly_refunded         refunded         unknown      unknown

                customer_cancelled support_cancelled deadline_passed edited          edited_to_owe edited_to_cover
pending         pending            pending           pending         pending         pending       captured
authorised      authorised         authorised        -               authorised      pending       captured
captured        captured           captured          -               captured        pending       captured
declined        declined           declined          declined        declined        pending       captured
partly_refunded partly_refunded    partly_refunded   -               partly_refunded pending       partly_refunded
refunded        refunded           refunded          -               -               -             -
unknown         unknown            unknown           unknown         unknown         unknown       captured

                shipped_in_part shipped         delivered_in_part delivered       returned_in_part returned
pending         -               -               pending           pending         pending          pending
authorised      authorised      authorised      authorised        authorised      authorised       authorised
captured        captured        captured        captured          captured        captured         captured
declined        -               -               declined          declined        declined         declined
partly_refunded partly_refunded partly_refunded partly_refunded   partly_refunded partly_refunded  partly_refunded
refunded        -               -               refunded          refunded        refunded         refunded
unknown         -               -               unknown           unknown         unknown          unknown
"""
FULFILMENT_TABLE = """
                 customer_cancelled support_cancelled deadline_passed edited         edited_to_owe  edited_to_cover
unfulfilled      unfulfilled        unfulfilled       unfulfilled     unfulfilled    unfulfilled    unfulfilled
partly_shipped   -                  -                 -               partly_shipped partly_shipped partly_shipped
shipped          -                  -                 -               -              -              -
partly_delivered -                  -                 -               -              -              -
delivered        -                  -                 -               -              -              -
partly_returned  -                  -                 -               -              -              -
returned         -                  -                 -               -              -              -

                 shipped_in_part shipped delivered_in_part delivered       returned_in_part returned
unfulfilled      partly_shipped  shipped -                 -               -                -
partly_shipped   partly_shipped  shipped partly_shipped    delivered       -                -
shipped          -               -       partly_delivered  delivered       partly_returned  returned
partly_delivered -               -       partly_delivered  delivered       partly_returned  returned
delivered        -               -       -                 -               partly_returned  returned
partly_returned  -               -       partly_returned   partly_returned partly_returned  returned
returned         -               -       returned          returned        -                -
"""


def cells(drawn: str) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for table in drawn.strip().split("\n\n"):
        header, *rows = [line.split() for line in table.splitlines()]
        found |= {(row[0], column): cell for row in rows for column, cell in zip(header, row[1:], strict=True)}
    return found


@pytest.mark.parametrize(
    ("drawn", "states", "listed"),
    [
        pytest.param(ORDER_TABLE, OrderStatus, ORDER_TRANSITIONS, id="order"),
        pytest.param(PAYMENT_TABLE, PaymentStatus, PAYMENT_TRANSITIONS, id="payment"),
        pytest.param(FULFILMENT_TABLE, FulfilmentStatus, FULFILMENT_TRANSITIONS, id="fulfilment"),
    ],
)
def test_an_axis_is_as_drawn_for_every_state_and_trigger(drawn: str, states: Any, listed: dict[Any, Any]) -> None:
    table = cells(drawn)
    for state, trigger in itertools.product(states, Trigger):
        assert listed.get((state, trigger), "-") == table.get((state, trigger), "-"), (state, trigger)


EVERY_WISH = list(itertools.product(EVERY_STANDING, sorted(WISHES)))


def possible(standing: Standing, wish: Trigger) -> bool:
    return None not in {
        ORDER_TRANSITIONS.get((standing.order, wish)),
        PAYMENT_TRANSITIONS.get((standing.payment, wish)),
        FULFILMENT_TRANSITIONS.get((standing.fulfilment, wish)),
    }


def test_a_wish_needs_every_axis_and_moves_them_all() -> None:
    for standing, wish in EVERY_WISH:
        moves = [
            ORDER_TRANSITIONS.get((standing.order, wish)),
            PAYMENT_TRANSITIONS.get((standing.payment, wish)),
            FULFILMENT_TRANSITIONS.get((standing.fulfilment, wish)),
        ]
        if None in moves:
            with pytest.raises(IllegalTransitionError):
                domain.advance(standing, wish)
        else:
            assert domain.advance(standing, wish) == Standing(*moves)  # type: ignore[arg-type]


def test_whoever_is_refused_learns_where_the_order_is_and_what_to_do() -> None:
    refused = [(standing, wish) for standing, wish in EVERY_WISH if not possible(standing, wish)]
    assert len(refused) > len(EVERY_WISH) / 2
    for standing, wish in refused:
        said = str(IllegalTransitionError(standing, wish))
        assert f"is {standing.order}" in said
        assert said.endswith(domain.reason(standing, wish))
        assert len(domain.reason(standing, wish)) > 20


@pytest.mark.parametrize(
    ("standing", "wish", "said"),
    [
        (("placed", "declined", "unfulfilled"), "shipped", "pay again"),
        (("placed", "pending", "unfulfilled"), "shipped", "not complete"),
        (("paid", "pending", "unfulfilled"), "shipped", "not complete"),
        (("placed", "unknown", "unfulfilled"), "shipped", "found out"),
        (("cancelled", "refunded", "unfulfilled"), "shipped", "place a new order"),
        (("expired", "pending", "unfulfilled"), "edited", "on sale again"),
        (("shipped", "captured", "shipped"), "customer_cancelled", "is a return"),
        (("partly_shipped", "captured", "partly_shipped"), "customer_cancelled", "with PATCH"),
        (("partly_shipped", "captured", "partly_shipped"), "returned_in_part", "send the rest"),
        (("paid", "captured", "unfulfilled"), "delivered", "Nothing of it has been sent"),
        (("shipped", "captured", "shipped"), "shipped", "has been sent"),
    ],
)
def test_the_reason_names_what_is_in_the_way(standing: tuple[str, str, str], wish: str, said: str) -> None:
    order, payment, fulfilment = standing
    where = Standing(OrderStatus(order), PaymentStatus(payment), FulfilmentStatus(fulfilment))
    assert said in domain.reason(where, Trigger(wish))


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_a_fact_is_settled_on_every_axis_or_is_no_news(fact: Trigger) -> None:
    for standing in EVERY_STANDING:
        order = ORDER_TRANSITIONS.get((standing.order, fact))
        payment = PAYMENT_TRANSITIONS.get((standing.payment, fact))
        after = domain.settle(standing, fact)
        if order is None and payment is None:
            assert after is None
        else:
            assert after == Standing(order or standing.order, payment or standing.payment, standing.fulfilment)


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_the_same_fact_again_changes_no_order(fact: Trigger) -> None:
    for after in (domain.settle(standing, fact) or standing for standing in EVERY_STANDING):
        assert (domain.settle(after, fact) or after) == after


def test_nothing_leads_out_of_what_is_final() -> None:
    assert not {before for (before, _), after in ORDER_TRANSITIONS.items() if after is not before} & FINAL
    for status in FINAL:
        assert domain.allowed(Standing(status, NEW.payment, NEW.fulfilment)) == []


def test_money_is_never_asked_for_what_was_called_off() -> None:
    for status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        assert not [trigger for before, trigger in ORDER_TRANSITIONS if before is status]


def test_whatever_the_money_does_an_unsent_order_can_be_called_off() -> None:
    for payment, cancel in itertools.product(PaymentStatus, sorted(CANCELS)):
        for status in (OrderStatus.PLACED, OrderStatus.PAID):
            after = domain.advance(Standing(status, payment, FulfilmentStatus.UNFULFILLED), cancel)
            assert after == Standing(OrderStatus.CANCELLED, payment, FulfilmentStatus.UNFULFILLED)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (("placed", "pending", "unfulfilled"), ["cancelled", "expired", "paid"]),
        (("placed", "authorised", "unfulfilled"), ["cancelled", "paid", "partly_shipped", "shipped"]),
        (("paid", "captured", "unfulfilled"), ["cancelled", "partly_shipped", "shipped"]),
        (("paid", "pending", "unfulfilled"), ["cancelled"]),
        (("partly_shipped", "captured", "partly_shipped"), ["delivered", "shipped"]),
        (("delivered", "captured", "delivered"), ["partly_returned", "returned"]),
        (("cancelled", "refunded", "unfulfilled"), []),
    ],
)
def test_an_order_says_where_it_can_go(standing: tuple[str, str, str], expected: list[str]) -> None:
    order, payment, fulfilment = standing
    where = Standing(OrderStatus(order), PaymentStatus(payment), FulfilmentStatus(fulfilment))
    assert domain.allowed(where) == expected
