from collections.abc import Iterator
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, JsonValue

from apps.chassis.card_numbers import holds_card_number
from apps.contracts.base import Money
from apps.orders.options import checked
from apps.orders.states import OrderStatus

_MAX_LINES = 100
_MAX_QUANTITY = 1_000
MAX_STOCK = 10**9
# The dearest order, 100 lines of 1,000 pieces, still fits into Money.
_MAX_PRICE = 10**10


class _Named(Protocol):
    sku: str


L = TypeVar("L", bound=_Named)


def _no_card(text: str) -> str:
    return _refused_if(text, holds_card_number(text))


def _no_card_but_long(text: str) -> str:
    """Let long numbers of articles and parcels pass, one in ten of which could be a card's."""
    return _refused_if(text, holds_card_number(text, long_by_nature=True))


def _refused_if(text: str, card: bool) -> str:  # private, and read beside its question
    if "\x00" in text:
        raise ValueError("control characters cannot be kept")
    if card:
        raise ValueError("this looks like a card number; never send one here")
    return text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif not isinstance(value, bool | float | None):
        yield str(value)


def _no_card_inside(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for found in _strings(value):
        _no_card(found)
    return value


def _affordable(price: Money) -> Money:
    if price.amount > _MAX_PRICE:
        raise ValueError(f"a price is at most {_MAX_PRICE} in the currency's minor unit")
    return price


Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), AfterValidator(_no_card_but_long)]
Short = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_card)]
Long = Annotated[str, Field(max_length=2_000), AfterValidator(_no_card)]
Configuration = Annotated[dict[str, JsonValue], Field(max_length=50), AfterValidator(_no_card_inside)]


class PutProduct(BaseModel):
    """An article as staff want it."""

    name: Short
    price: Annotated[Money, AfterValidator(_affordable)]
    # No default: an article whose stock was left out must not become one that is never out of stock.
    stock: Annotated[int, Field(ge=0, le=MAX_STOCK)] | None
    active: bool = True
    options: Annotated[dict[str, JsonValue], AfterValidator(_no_card_inside), AfterValidator(checked)] | None = None
    """JSON Schema that a line's `configuration` is held against."""


class ChangeStock(BaseModel):
    """So many came in, or went out."""

    delta: Annotated[int, Field(ge=-MAX_STOCK, le=MAX_STOCK)]


class OrderLine(BaseModel):
    """What is wanted of one article."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=_MAX_QUANTITY)]
    configuration: Configuration | None = None


class Address(BaseModel):
    """Where to send it."""

    name: Short
    line1: Short
    line2: Short | None = None
    city: Short
    postal_code: Short
    region: Short | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166 code")]


def _each_sku_once(lines: list[L]) -> list[L]:
    skus = [line.sku for line in lines]
    if len(set(skus)) < len(skus):
        twice = sorted({sku for sku in skus if skus.count(sku) > 1})
        raise ValueError(f"one line per sku, please; more than one: {', '.join(twice)}")
    return lines


Lines = Annotated[list[OrderLine], Field(min_length=1, max_length=_MAX_LINES), AfterValidator(_each_sku_once)]
"""An article stands on one line only, since shipments and returns name it by its sku."""


class PlaceOrder(BaseModel):
    """An order."""

    lines: Lines
    shipping_address: Address
    payment_method: Short
    note: Long | None = None


class QuoteLines(BaseModel):
    """What would be ordered; whatever else an order has may stand beside it."""

    lines: Lines


class EditOrder(BaseModel):
    """What is to be different; what is left out stays. `lines` are all lines that the order is to have."""

    lines: Lines | None = None
    shipping_address: Address | None = None
    note: Long | None = None


class PieceOfLine(BaseModel):
    """So much of one article."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=_MAX_QUANTITY)]


Pieces = Annotated[list[PieceOfLine], Field(min_length=1, max_length=_MAX_LINES), AfterValidator(_each_sku_once)]


class ShipLines(BaseModel):
    """A parcel; without `lines` it holds all that was not sent yet."""

    lines: Pieces | None = None
    carrier: Short
    tracking_number: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_card_but_long)]


class ReturnLines(BaseModel):
    """What came back."""

    lines: Pieces
    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_no_card)]


class CancelOrder(BaseModel):
    """Why, if the customer says."""

    reason: Annotated[str, Field(max_length=500), AfterValidator(_no_card)] | None = None


class ListOrders(BaseModel):
    """Which orders are wanted; times bound the placing."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: UUID | None = None
    status: OrderStatus | None = None
    placed_from: AwareDatetime | None = None
    placed_to: AwareDatetime | None = None
    customer_id: UUID | None = None
    number: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}$")] | None = None
    """As on the confirmation; hyphens and capitals do not matter."""
