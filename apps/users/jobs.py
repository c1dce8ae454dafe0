from datetime import timedelta
from typing import Final

from sqlalchemy import text

from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.users import rotation
from apps.users.means import Means

jobs = Jobs()

_BATCH = 1_000
# SKIP LOCKED: every replica may tidy at once, each takes other rows.
_TIDY = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE {column} < now() - CAST(:age AS interval) LIMIT :batch FOR UPDATE SKIP LOCKED
))
"""
_WHOLE_DAY: Final = timedelta(days=1)


@jobs.on("every-10s")
async def keep_keys(chassis: Chassis) -> None:
    """Rotate the signing key when it is time, and verify by what is published: a key may have been compromised."""
    means: Means = chassis.extra
    await rotation.keep(means)
    await chassis.tokens.take(means.signer.published)


@jobs.on("every-10s")
async def keep_trail(chassis: Chassis) -> None:
    """See to the months of the audit trail, on each day's first tick."""
    means: Means = chassis.extra
    await means.months.see_to(chassis.database, means.settings.audit_retention)


@jobs.on("every-10s")
async def tidy(chassis: Chassis) -> None:
    """Delete what has expired, a batch of each kind at a time."""
    for table, column, age in (
        ("sessions", "expires_at", timedelta()),
        ("one_time_tokens", "expires_at", timedelta()),
        ("email_changes", "expires_at", timedelta()),
        # by then every failure it counted is forgotten
        ("throttles", "last_at", _WHOLE_DAY),
    ):
        async with chassis.database.transaction() as tx:
            await tx.execute(text(_TIDY.format(table=table, column=column)), {"age": age, "batch": _BATCH})
