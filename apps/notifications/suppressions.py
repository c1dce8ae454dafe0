"""Addresses that nothing more is sent to: nobody is there, or somebody asked for it."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot

# One refusal may be a mail server's bad day, on which it knows nobody; a provider's receipt is sure.
BOUNCES_TO_SUPPRESS = 2

_BOUNCED = Hot("""
INSERT INTO suppressions AS s (channel, address, scope, bounces, reason, since)
SELECT channel, lower(address), 'all', :weight, 'bounced', CASE WHEN :weight >= :enough THEN now() END
FROM unnest(CAST(:channels AS text[]), CAST(:addresses AS text[])) AS told (channel, address)
ORDER BY channel, address
ON CONFLICT (channel, address, scope) DO UPDATE SET bounces = s.bounces + excluded.bounces,
    since = coalesce(s.since, CASE WHEN s.bounces + excluded.bounces >= :enough THEN now() END)
""")
_DECLINED = Hot("""
INSERT INTO suppressions (channel, address, scope, reason, since)
VALUES ('email', lower(:address), 'marketing', 'unsubscribed', now())
ON CONFLICT (channel, address, scope) DO NOTHING
""")


async def bounced(tx: AsyncSession, channels: Mapping[str, str], weight: int = 1) -> None:
    """Count a bounce of each address, by its channel; enough of them and nothing more goes there."""
    await _BOUNCED.run(
        tx, addresses=list(channels), channels=list(channels.values()), weight=weight, enough=BOUNCES_TO_SUPPRESS
    )


async def decline_marketing(tx: AsyncSession, address: str) -> None:
    """Send no more marketing mail to an address that belongs to nobody we know."""
    await _DECLINED.run(tx, address=address)
