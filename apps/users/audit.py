"""What happened to accounts, kept apart from logs: who did what, when, from where, and how it ended."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Text, bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.auth import Principal
from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.users.origin import Origin
from apps.users.tables import AuditEvent

DONE: Final = "done"
REFUSED: Final = "refused"
ANYONE: Final = "anyone"
OPERATOR: Final = "operator"
_MONTHS_AHEAD: Final = 3
_RECORD = Hot("""
INSERT INTO audit_events (id, user_id, actor, action, outcome, address, agent, detail)
VALUES (:id, :user_id, :actor, :action, :outcome, :address, :agent, CAST(:detail AS jsonb))
""")
# The same, in the statement that begins the session of one who was `admitted`, perhaps in the place of one `replaced`.
SIGNED_IN: Final = """
recorded AS (
    INSERT INTO audit_events (id, user_id, actor, action, outcome, address, agent, detail)
    SELECT :event_id, id, 'user:' || id, 'signed_in', 'done', :address, :agent,
        jsonb_strip_nulls(jsonb_build_object('session', :id, 'replaced', (SELECT id FROM replaced)))
    FROM admitted)
"""
_ENSURE_MONTHS = text("SELECT ensure_audit_months(:ahead)")
_DROP_MONTHS = text("SELECT drop_audit_months(:age)")


def actor(caller: Principal) -> str:
    """Return how the trail names a caller."""
    return f"client:{caller.id}" if caller.client else f"user:{caller.id}"


async def record(
    tx: AsyncSession | AsyncConnection,
    action: str,
    user_id: UUID | None,
    by: str,
    origin: Origin | None = None,
    *,
    outcome: str = DONE,
    **detail: Any,
) -> None:
    """Keep that *by* did *action* to the account; it stands if, and only if, *tx* commits."""
    await _RECORD.run(
        tx,
        id=uuid7(),
        user_id=user_id,
        actor=by,
        action=action,
        outcome=outcome,
        address=origin.address if origin else None,
        agent=origin.agent if origin else None,
        detail=orjson.dumps(detail).decode(),
    )


async def list_by_user(tx: AsyncSession, user_id: UUID, before: UUID, limit: int) -> list[AuditEvent]:
    """Return a page of what happened to an account, newest first."""
    mine = select(AuditEvent).where(AuditEvent.user_id == user_id, AuditEvent.id < before)
    return list(await tx.scalars(mine.order_by(AuditEvent.id.desc()).limit(limit)))


async def list_newest(tx: AsyncSession, action: str | None, before: UUID, limit: int) -> list[AuditEvent]:
    """Return a page of all that happened, newest first: also what belongs to no account, such as keys and clients."""
    page = select(AuditEvent).where(AuditEvent.id < before)
    if action:
        # known to the plan: one that is kept for any value cannot tell the frequent from the rare
        page = page.where(AuditEvent.action == bindparam("action", action, Text, literal_execute=True))
    return list(await tx.scalars(page.order_by(AuditEvent.id.desc()).limit(limit)))


async def forget_person(tx: AsyncSession, user_id: UUID) -> None:
    """Keep what happened without whom it happened to: an id that leads nowhere any more is all that is left."""
    mine = update(AuditEvent).where(AuditEvent.user_id == user_id)
    await tx.execute(mine.values(address=None, agent=None, detail={}))


class Months:
    """The trail's partitions: those to come are made ahead, those kept long enough go whole."""

    def __init__(self) -> None:
        self._seen_to_on: date | None = None

    async def see_to(self, database: Database, retention: timedelta) -> None:
        """Make and drop what is due, once a day; any replica may."""
        today = datetime.now(UTC).date()
        if self._seen_to_on == today:
            return
        async with database.transaction() as tx:
            await tx.execute(_ENSURE_MONTHS, {"ahead": _MONTHS_AHEAD})
        async with database.transaction() as tx:
            await tx.execute(_DROP_MONTHS, {"age": retention})
        self._seen_to_on = today
