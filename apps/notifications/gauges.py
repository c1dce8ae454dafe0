from typing import Final

from apps.chassis.metrics import Gauge

GAUGES: Final = (
    Gauge(
        "sidecart_messages_waiting",
        "Messages that are neither delivered nor given up, up to 100000.",
        "SELECT count(*) FROM (SELECT FROM messages WHERE due_at IS NOT NULL LIMIT 100000) AS waiting",
    ),
    Gauge(
        "sidecart_messages_overdue_seconds",
        "How long the longest waiting message has been due.",
        "SELECT greatest(0, coalesce(extract(epoch FROM now() - (SELECT min(due_at) FROM messages"
        " WHERE due_at IS NOT NULL)), 0))",
    ),
    Gauge(
        "sidecart_undelivered",
        "Messages that were given up and wait for somebody, up to 100000.",
        "SELECT count(*) FROM (SELECT FROM messages WHERE state = 'failed' LIMIT 100000) AS failed",
    ),
)
