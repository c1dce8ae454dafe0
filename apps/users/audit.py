"""What happened to accounts, kept apart from logs: who did what, when, from where, and how it ended."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.auth import Principal
from apps.users.origin import Origin
from apps.users.tables import AuditEvent

DONE: Final = "done"
REFUSED: Final = "refused"
ANYONE: Final = "anyone"
OPERATOR: Final = "operator"


def actor(caller: Principal) -> str:
    """Return how the trail names a caller."""
    return f"client:{caller.id}" if caller.client else f"user:{caller.id}"


async def record(
    tx: AsyncSession,
    action: str,
    user_id: UUID | None,
    by: str,
    origin: Origin | None = None,
    *,
    outcome: str = DONE,
    **detail: Any,
) -> None:
    """Keep that *by* did *action* to the account; it stands if, and only if, *tx* commits."""
    await tx.execute(
        insert(AuditEvent).values(
            id=uuid7(),
            user_id=user_id,
            actor=by,
            action=action,
            outcome=outcome,
            address=origin.address if origin else None,
            agent=origin.agent if origin else None,
            detail=detail,
        )
    )


async def list_by_user(tx: AsyncSession, user_id: UUID, before: UUID, limit: int) -> list[AuditEvent]:
    """Return a page of what happened to an account, newest first."""
    mine = select(AuditEvent).where(AuditEvent.user_id == user_id, AuditEvent.id < before)
    return list(await tx.scalars(mine.order_by(AuditEvent.id.desc()).limit(limit)))


async def forget_person(tx: AsyncSession, user_id: UUID) -> None:
    """Keep what happened without whom it happened to: an id that leads nowhere any more is all that is left."""
    mine = update(AuditEvent).where(AuditEvent.user_id == user_id)
    await tx.execute(mine.values(address=None, agent=None, detail={}))
