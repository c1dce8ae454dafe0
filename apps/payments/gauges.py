from typing import Final

from prometheus_client import Counter

from apps.chassis.metrics import Gauge

CALLS: Final = Counter("sidecart_payments_calls", "Calls to processors, by what came of them.", ["provider", "outcome"])

# What a payment's outcome was lies sealed here; orders tells it.
GAUGES: Final = (
    Gauge(
        "sidecart_payments_waiting",
        "Payments whose next step is due and not taken yet, up to 100000.",
        "SELECT count(*) FROM (SELECT FROM payments WHERE due_at <= now() LIMIT 100000) AS due",
    ),
    Gauge(
        "sidecart_payments_overdue_seconds",
        "How long the next step of the longest waiting payment has been due.",
        "SELECT greatest(0, coalesce(extract(epoch FROM now() - (SELECT min(due_at) FROM payments"
        " WHERE due_at IS NOT NULL)), 0))",
    ),
)
