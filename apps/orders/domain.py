"""What an order may become, and everything that may be wrong with a wish: no I/O."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final
from uuid import UUID

from apps.orders.states import FACTS, RETURNS, OrderStatus, Standing, Trigger
from apps.orders.transitions import FULFILMENT_TRANSITIONS, INSTEAD, ORDER_TRANSITIONS, PAYMENT_TRANSITIONS, WHY

_NOT_YET: Final = "Wait until it can be done."


class IllegalTransitionError(Exception):
    """What was asked for is not possible from where the order is."""

    def __init__(self, standing: Standing, trigger: Trigger) -> None:
        super().__init__(
            f"An order that is {standing.order} ({standing.payment}, {standing.fulfilment}) "
            f"does not take {trigger}. {reason(standing, trigger)}"
        )


class OrderNotFoundError(Exception):
    """There is no such order, or it is another's, which is told the same."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"There is no order {order_id}.")


class ForeignOrdersError(Exception):
    """A customer asked for the orders of another."""

    def __init__(self) -> None:
        super().__init__("Orders of others are listed for support and staff only.")


class ProductNotFoundError(Exception):
    """The price list has no such article."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"There is no product {sku}.")


class ShipmentNotFoundError(Exception):
    """The order has no such parcel."""

    def __init__(self, shipment_id: UUID) -> None:
        super().__init__(f"The order has no shipment {shipment_id}.")


class LinesRefusedError(Exception):
    """Lines that cannot be ordered; `pointers` say which."""

    def __init__(self, pointers: Iterable[tuple[str, str]]) -> None:
        super().__init__("Some lines cannot be ordered.")
        self.pointers = [{"pointer": pointer, "detail": detail} for pointer, detail in pointers]


class QuantityRefusedError(LinesRefusedError):
    """More is to be sent, returned or taken off than there is; `pointers` say of what."""


class OutOfStockError(Exception):
    """Less is there than was asked for."""

    def __init__(self, skus: Iterable[str]) -> None:
        super().__init__(f"Not enough in stock: {', '.join(skus)}.")


class StockNotChangedError(Exception):
    """The stock cannot take the change."""


class AmountDiffersError(Exception):
    """What was captured is in another currency than the order; a person has to look."""


class NothingOwedError(Exception):
    """The order was called off: there is nothing to charge for it."""

    def __init__(self, status: OrderStatus) -> None:
        super().__init__(f"The order is {status}: nothing is to be charged for it. {WHY[status]}")


class RevisionDiffersError(Exception):
    """The order has changed since the caller read it."""

    def __init__(self, revision: int) -> None:
        super().__init__(f'The order has changed meanwhile and is at "{revision}"; read it again and decide anew.')


class RevisionRequiredError(Exception):
    """The caller did not say which state of the order the edit is meant for."""

    def __init__(self) -> None:
        super().__init__("Send If-Match with the ETag that the order was read with.")


def advance(standing: Standing, trigger: Trigger) -> Standing:
    """Return where a wish leads, or raise IllegalTransitionError: every axis must allow it."""
    order = ORDER_TRANSITIONS.get((standing.order, trigger))
    payment = PAYMENT_TRANSITIONS.get((standing.payment, trigger))
    fulfilment = FULFILMENT_TRANSITIONS.get((standing.fulfilment, trigger))
    if order is None or payment is None or fulfilment is None:
        raise IllegalTransitionError(standing, trigger)
    return Standing(order, payment, fulfilment)


def settle(standing: Standing, trigger: Trigger) -> Standing | None:
    """Return where a fact leads; None where it comes too late to say anything new."""
    order = ORDER_TRANSITIONS.get((standing.order, trigger))
    payment = PAYMENT_TRANSITIONS.get((standing.payment, trigger))
    if order is None and payment is None:
        return None
    return replace(standing, order=order or standing.order, payment=payment or standing.payment)


def complete(standing: Standing, trigger: Trigger) -> Standing:
    """Return where an order is once what was not sent has been taken off: the money has its say elsewhere."""
    order = ORDER_TRANSITIONS.get((standing.order, trigger), standing.order)
    return replace(
        standing,
        order=order,
        fulfilment=FULFILMENT_TRANSITIONS.get((standing.fulfilment, trigger), standing.fulfilment),
    )


def reason(standing: Standing, trigger: Trigger) -> str:
    """Say why a wish is refused, and what to do instead."""
    if (standing.order, trigger) not in ORDER_TRANSITIONS:
        if trigger in RETURNS and standing.order is OrderStatus.PARTLY_SHIPPED:
            return INSTEAD[trigger]
        return WHY.get(standing.order) or INSTEAD.get(trigger, _NOT_YET)
    if (standing.fulfilment, trigger) not in FULFILMENT_TRANSITIONS:
        return WHY.get(standing.fulfilment) or INSTEAD.get(trigger, _NOT_YET)
    return WHY[standing.payment]


@lru_cache(maxsize=1024)
def _allowed(standing: Standing) -> tuple[str, ...]:
    found: set[str] = set()
    for (before, trigger), after in ORDER_TRANSITIONS.items():
        if before is not standing.order or after is before:
            continue
        if trigger in FACTS or all((
            (standing.payment, trigger) in PAYMENT_TRANSITIONS,
            (standing.fulfilment, trigger) in FULFILMENT_TRANSITIONS,
        )):  # fmt: skip
            found.add(after)
    return tuple(sorted(found))


def allowed(standing: Standing) -> list[str]:
    """Return the statuses the order can come to next."""
    return list(_allowed(standing))


# No I, L, O and U: a number is read aloud on the telephone.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_BITS: Final = 60


def number(chance: int) -> str:
    """Spell 60 random bits for people; two alike among ten million orders are a chance of 1 in 20,000."""
    letters = "".join(_ALPHABET[chance >> shift & 31] for shift in range(NUMBER_BITS - 5, -1, -5))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def spelled(typed: str) -> str:
    """Return an order's number as it is kept, however somebody typed it."""
    letters = typed.replace("-", "").upper()
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"
