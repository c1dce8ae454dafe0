"""What can be ordered: lines held against the price list."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.contracts.base import Money
from apps.orders import options, placing
from apps.orders.domain import LinesRefusedError
from apps.orders.parcels import Row
from apps.orders.schemas import OrderLine, QuoteLines
from apps.orders.views import QuotedLine, QuoteView


def check(lines: Sequence[OrderLine], listed: Mapping[str, Any]) -> None:
    """Refuse what can never be sold; the stock is a question for later."""
    refused: list[tuple[str, str]] = []
    currency: str | None = None
    for position, line in enumerate(lines):
        found = _wrong(line, listed.get(line.sku), currency)
        if found:
            refused.append((f"#/lines/{position}{found[0]}", found[1]))
        else:
            currency = currency or listed[line.sku].currency
    if refused:
        raise LinesRefusedError(refused)


def _wrong(line: OrderLine, product: Any | None, currency: str | None) -> tuple[str, str] | None:
    if product is None or not product.active:
        return "/sku", f"There is no product {line.sku} on sale."
    if product.currency != (currency or product.currency):
        return "/sku", f"{line.sku} is priced in another currency than lines above."
    if product.options is not None and (wrong := options.complaint(product.options, line.configuration)):
        return f"/configuration{wrong[0]}", wrong[1]
    return None


def check_edit(lines: Sequence[OrderLine], rows: Mapping[str, Row], listed: Mapping[str, Any], currency: str) -> None:
    """Refuse what cannot be added; what was bought before stays, whatever has become of the article."""
    if refused := list(_wrong_in_edit(lines, rows, listed, currency)):
        raise LinesRefusedError(refused)


def _wrong_in_edit(
    lines: Sequence[OrderLine], rows: Mapping[str, Row], listed: Mapping[str, Any], currency: str
) -> Iterator[tuple[str, str]]:
    for position, line in enumerate(lines):
        row, product = rows.get(line.sku), listed.get(line.sku)
        configured = "configuration" in line.model_fields_set
        if product and row and not configured:
            # what was configured when it was bought stays as it is
            product = product._replace(options=None)
        if row is None or line.quantity > row.quantity:
            if wrong := _wrong(line, product, currency):
                yield f"#/lines/{position}{wrong[0]}", wrong[1]
            elif row and product and product.price != row.unit_price:
                changed = f"The price of {line.sku} has changed since; place another order for more of it."
                yield f"#/lines/{position}/quantity", changed
        elif (
            product
            and product.options is not None
            and (wrong := options.complaint(product.options, line.configuration))
        ):
            yield f"#/lines/{position}/configuration{wrong[0]}", wrong[1]


def quote(wanted: QuoteLines, listed: Mapping[str, Any]) -> QuoteView:
    """Say what an order would cost now, and what of it is there; nothing is promised, and nothing kept."""
    check(wanted.lines, listed)
    quoted = [
        QuotedLine(
            sku=line.sku,
            name=listed[line.sku].name,
            quantity=line.quantity,
            unit_price=Money(amount=listed[line.sku].price, currency=listed[line.sku].currency),
            configuration=line.configuration,
            available=placing.enough(listed[line.sku], line.quantity),
        )
        for line in wanted.lines
    ]
    amount = sum(line.quantity * line.unit_price.amount for line in quoted)
    return QuoteView(lines=quoted, total=Money(amount=amount, currency=quoted[0].unit_price.currency))
