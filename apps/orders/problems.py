from apps.chassis.problems import Problem
from apps.orders.details import DetailsMissingError
from apps.orders.domain import (
    ForeignOrdersError,
    IllegalTransitionError,
    LinesRefusedError,
    NothingOwedError,
    OrderNotFoundError,
    OutOfStockError,
    ProductNotFoundError,
    QuantityRefusedError,
    RevisionDiffersError,
    RevisionRequiredError,
    ShipmentNotFoundError,
    StockNotChangedError,
)

PROBLEMS: dict[type[Exception], Problem] = {
    ForeignOrdersError: Problem(403, "role-required"),
    OrderNotFoundError: Problem(404, "order-not-found"),
    ProductNotFoundError: Problem(404, "product-not-found"),
    ShipmentNotFoundError: Problem(404, "shipment-not-found"),
    IllegalTransitionError: Problem(409, "illegal-transition"),
    NothingOwedError: Problem(409, "nothing-owed"),
    QuantityRefusedError: Problem(409, "quantity-refused"),
    OutOfStockError: Problem(409, "out-of-stock"),
    StockNotChangedError: Problem(409, "stock-not-changed"),
    RevisionDiffersError: Problem(412, "revision-differs"),
    RevisionRequiredError: Problem(428, "revision-required"),
    LinesRefusedError: Problem(422, "lines-refused"),
    DetailsMissingError: Problem(503, "temporarily-unavailable", {"Retry-After": "2"}),
}
