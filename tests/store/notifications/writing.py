"""Messages that somebody is written, and what providers may answer."""

from typing import Any
from uuid import UUID, uuid4

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.notifications import preferences, use_cases
from apps.notifications.domain import Category
from apps.notifications.letters import Letter
from apps.notifications.schemas import Preferences
from tests.store.notifications.conftest import (
    all_in,
    rows,
    running,
)
from tests.store.notifications.fakes import FakeSidecar

LOST = SidecarError("binding: error invoking output binding: context deadline exceeded")
AWAY = SidecarError("binding: dial tcp 127.0.0.1:1025: connect: connection refused")
GONE = SidecarError("binding email: sending email failed: gomail: could not send email 1: 550 5.1.1 no such user")


async def wants(database: Database, user: UUID, **wanted: Any) -> None:
    async with database.transaction() as tx:
        await preferences.put(tx, user, Preferences.model_validate(wanted))


async def write(database: Database, user: UUID, *, category: Category = Category.ORDERS, **told: Any) -> list[UUID]:
    data = '{"number": "A-1", "total": {"amount": 5, "currency": "EUR"}, "expired_at": "2026-05-01T12:00:00Z"}'
    asked: dict[str, Any] = {"template": "order-expired", "data": data, **told}
    letter = Letter(uuid4(), category, user_id=user, **asked)
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letter], [None])
    return [row["id"] for row in await rows(database, "SELECT id FROM messages WHERE state = 'queued' ORDER BY id")]


async def sent_by(database: Database, sidecar: FakeSidecar, ids: list[UUID], *ends: str) -> list[str]:
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, *(ends or ("delivered",)))
    return sorted(name for name, _, _ in sidecar.sent)
