"""Looking for accounts among a million: each page is a walk along an index, however many come before it."""

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, Text, bindparam, func, literal, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Role
from apps.chassis.problems import ProblemError
from apps.users.tables import User

# Both compare bytes, as their indexes do: a beginning is then a range, also in a plan that is kept for any value.
_KEYS: dict[str, Any] = {
    "email": func.lower(User.email).collate("C"),
    "name": func.lower(User.name).collate("C"),
}
# Few are, and have an index of their own.
_MORE_THAN_CUSTOMER = text("users.roles <> '{customer}'")
_NEWEST = "newest"
_BEYOND = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: how an address or a name begins, a role, a status."""

    q: str | None = None
    role: str | None = None
    status: str | None = None


async def find(tx: AsyncSession, wanted: Wanted, cursor: str | None, limit: int) -> tuple[list[User], str | None]:
    """Return a page and the cursor of the next; without `q` the newest come first."""
    place = _load(cursor) if cursor else []
    if not wanted.q:
        return await _newest(tx, wanted, place, limit)
    found: list[tuple[User, list[str]]] = []
    walks = list(_KEYS)
    # those whose address begins so, in its order; then the others whose name does
    for walk in walks[walks.index(place[0]) :] if place and place[0] in walks else walks:
        after = place[1:] if place and place[0] == walk else None
        rows = await tx.execute(_walk(wanted, walk, after).limit(limit + 1 - len(found)))
        found += [(user, [walk, key, str(user.id)]) for user, key in rows]
        if len(found) > limit:
            return [user for user, _ in found[:limit]], _dump(found[limit - 1][1])
    return [user for user, _ in found], None


def _walk(wanted: Wanted, walk: str, after: list[str] | None) -> Select[User, str]:
    low = (wanted.q or "").lower()
    key, by_email = _KEYS[walk], _KEYS["email"]
    page = _filtered(wanted).add_columns(key).where(key >= low, key < low + _BEYOND)
    if walk == "name":
        page = page.where((by_email < low) | (by_email >= low + _BEYOND))
    if after:
        page = page.where(tuple_(key, User.id) > tuple_(literal(after[0]), literal(UUID(after[1]))))
    return page.order_by(key, User.id)


async def _newest(tx: AsyncSession, wanted: Wanted, place: list[str], limit: int) -> tuple[list[User], str | None]:
    page = _filtered(wanted).order_by(User.id.desc()).limit(limit + 1)
    found = list(await tx.scalars(page.where(User.id < UUID(place[-1])) if place else page))
    kept = found[:limit]
    return kept, _dump([_NEWEST, str(kept[-1].id)]) if len(found) > limit else None


def _filtered(wanted: Wanted) -> Select[User]:
    """Have the plan know the values: one that is kept for any value cannot tell the many from the few."""
    page = select(User)
    if wanted.role:
        page = page.where(User.roles.contains(bindparam("role", [wanted.role], ARRAY(Text), literal_execute=True)))
    if wanted.role and wanted.role != Role.CUSTOMER:
        page = page.where(_MORE_THAN_CUSTOMER)
    if wanted.status:
        page = page.where(User.status == bindparam("status", wanted.status, Text, literal_execute=True))
    return page


def _dump(place: list[str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _load(cursor: str) -> list[str]:
    try:
        place = [str(part) for part in orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))]
        UUID(place[-1])
    except (ValueError, TypeError, LookupError):
        place = []
    if [*place[:1], len(place)] not in ([_NEWEST, 2], *([walk, 3] for walk in _KEYS)) or "\0" in place[1]:
        raise ProblemError(422, "invalid-content", "This cursor is none of ours; begin without one.")
    return place
