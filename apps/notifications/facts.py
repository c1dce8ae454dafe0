"""What others are told about a message once it is over."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.contracts.notifications import NotificationDelivered, NotificationFailed
from apps.notifications.domain import State


def record(tx: AsyncSession, rows: Sequence[Any]) -> None:
    """Promise to say which messages were delivered and which given up; a campaign speaks by its progress instead."""
    now = datetime.now(UTC)
    for row in rows:
        told = {
            "sequence": row.facts,
            "notification_id": row.id,
            "user_id": row.user_id,
            "template": row.template,
            "category": row.category,
            "channel": row.channel,
        }
        if row.state == State.FAILED:
            outbox.record(tx, NotificationFailed(**told, reason=row.reason or "", failed_at=now), trace=row.traceparent)
        elif row.state == State.DELIVERED and row.campaign_id is None:
            outbox.record(tx, NotificationDelivered(**told, delivered_at=now), trace=row.traceparent)
