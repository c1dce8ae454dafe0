from typing import Final

from apps.chassis.metrics import Gauge

GAUGES: Final = (
    Gauge(
        "sidecart_orders_last_hour",
        "Orders of the last hour, by where they stand: their payment's outcome too.",
        "SELECT status, payment_status, count(*) FROM orders WHERE id >= uuid_bound(now() - interval '1 hour')"
        " GROUP BY status, payment_status",
        ("status", "payment"),
    ),
    Gauge(
        "sidecart_orders_waiting_oldest_seconds",
        "How long the oldest order has waited for its payment's outcome.",
        "SELECT coalesce(extract(epoch FROM now() - (SELECT placed_at FROM orders"
        " WHERE status = 'placed' AND payment_status = 'pending' ORDER BY id LIMIT 1)), 0)",
    ),
)
