"""What providers say later about a message they took: it arrived, it came back, or somebody complained."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.chassis.texts import STORABLE
from apps.notifications import facts, suppressions

TOLERANCE_S: Final = 300
_PREFIX: Final = "whsec_"
# A lost answer is found again; what had failed arrived all the same; what arrived may still come back.
_ARRIVED = Hot("""
UPDATE messages SET state = 'delivered', delivered_at = now(), due_at = NULL, failed_at = NULL, wanted_at = NULL,
    holder = NULL, reason = NULL, facts = facts + 1
WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('unknown', 'retrying', 'failed')
RETURNING id, user_id, template, category, channel, campaign_id, facts, state, reason, traceparent
""")
_RETURNED = Hot("""
UPDATE messages m SET state = 'failed', reason = 'came back: ' || told.reason, due_at = NULL, failed_at = now(),
    delivered_at = NULL, holder = NULL, facts = facts + 1
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS told (id, reason)
WHERE m.id = told.id AND m.state IN ('delivered', 'unknown', 'retrying')
RETURNING m.id, user_id, template, category, channel, campaign_id, facts, state, m.reason, traceparent
""")
_ADDRESSES = Hot("""
SELECT m.id, m.channel, CASE m.channel WHEN 'email' THEN coalesce(m.email, c.email)
    WHEN 'sms' THEN coalesce(m.phone, c.phone) END AS address
FROM messages m LEFT JOIN contacts c USING (user_id) WHERE m.id = ANY(CAST(:ids AS uuid[]))
""")


class BadSignatureError(Exception):
    """What came was not signed by whom it claims to be from, or long ago."""

    def __init__(self) -> None:
        super().__init__("The signature does not fit, or is older than five minutes.")


class ReceiptsClosedError(Exception):
    """No secret is configured that a receipt could be signed with."""

    def __init__(self) -> None:
        super().__init__("Receipts are not taken here: put notifications-receipts-secret into the secrets.")


def _message_id(value: object) -> object:
    """Take a Message-ID as mail has it for the id within."""
    return value.strip("<>").partition("@")[0] if isinstance(value, str) else value


class Receipt(BaseModel):
    """What became of one message."""

    model_config = ConfigDict(extra="ignore")

    message_id: Annotated[UUID, BeforeValidator(_message_id)]
    status: Literal["delivered", "bounced", "complained"]
    reason: Annotated[str, Field(max_length=500, pattern=STORABLE)] = ""


class Receipts(BaseModel):
    """A batch of them."""

    events: Annotated[list[Receipt], Field(max_length=1_000)]


def verify(secret: str | None, headers: Mapping[str, str], body: bytes, now: float | None = None) -> None:
    """Raise BadSignatureError unless *body* is signed as Standard Webhooks has it, within five minutes."""
    if secret is None:
        raise ReceiptsClosedError
    sent_at, id_ = headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    if not sent_at.isascii() or not sent_at.isdigit():
        raise BadSignatureError
    if abs((time.time() if now is None else now) - int(sent_at[:15])) > TOLERANCE_S:
        raise BadSignatureError
    signed = f"{id_}.{sent_at}.".encode() + body
    expected = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256))
    offered = [part.removeprefix("v1,") for part in headers.get("webhook-signature", "").split()]
    if not any(hmac.compare_digest(expected, one.encode()) for one in offered):
        raise BadSignatureError


def _key(secret: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


async def note(tx: AsyncSession, receipts: Sequence[Receipt]) -> None:
    """Correct the log by what providers say; saying it twice changes nothing more."""
    arrived = sorted({it.message_id for it in receipts if it.status == "delivered"})
    returned = {it.message_id: it.reason for it in receipts if it.status == "bounced"}
    if arrived:
        facts.record(tx, await _ARRIVED.run(tx, ids=arrived))
    if returned:
        ids = sorted(returned)
        rows = await _RETURNED.run(tx, ids=ids, reasons=[returned[id_] for id_ in ids])
        facts.record(tx, rows)
    await _suppress(tx, receipts)


async def _suppress(tx: AsyncSession, receipts: Sequence[Receipt]) -> None:
    ids = sorted({it.message_id for it in receipts if it.status != "delivered"})
    if not ids:
        return
    bounced = {it.message_id for it in receipts if it.status == "bounced"}
    rows = [row for row in await _ADDRESSES.run(tx, ids=ids) if row.address]
    gone = {row.address: row.channel for row in rows if row.id in bounced}
    if gone:
        await suppressions.bounced(tx, gone, weight=suppressions.BOUNCES_TO_SUPPRESS)
    for row in rows:
        if row.id not in bounced and row.channel == "email":
            await suppressions.decline_marketing(tx, row.address)
