from apps.chassis.problems import Problem
from apps.orders.details import DetailsMissingError
from apps.orders.domain import (
    ForeignOrdersError,
    IllegalTransitionError,
    LinesRefusedError,
    OrderNotFoundError,
    OutOfStockError,
    ProductNotFoundError,
    StockNotChangedError,
)

PROBLEMS: dict[type[Exception], Problem] = {
    ForeignOrdersError: Problem(403, "role-required"),
    OrderNotFoundError: Problem(404, "order-not-found"),
    ProductNotFoundError: Problem(404, "product-not-found"),
    IllegalTransitionError: Problem(409, "illegal-transition"),
    OutOfStockError: Problem(409, "out-of-stock"),
    StockNotChangedError: Problem(409, "stock-not-changed"),
    LinesRefusedError: Problem(422, "lines-refused"),
    DetailsMissingError: Problem(503, "temporarily-unavailable", {"Retry-After": "2"}),
}
