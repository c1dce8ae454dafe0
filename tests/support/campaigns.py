"""Campaigns asked for as staff does, for tests with many of their mails."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from tests.support.shop import Shop, until
from tests.support.system import PATIENCE_S

UPLOAD: Final = 10_000
"""Addresses in a request: half of what one may have, so that long ones stay below a megabyte as well."""


async def ask(shop: Shop, method: str, path: str, body: Any = None) -> dict[str, Any]:
    token = shop.operator_token("staff")
    answer = await shop.call("notifications", method, path, body, token=token, key=uuid4().hex)
    assert answer.status in {200, 201}, answer.text
    found: dict[str, Any] = answer.body
    return found


async def upload(shop: Shop, emails: Sequence[str], data: Mapping[str, str]) -> str:
    """Make a draft for *emails*; return its id."""
    told = {"template": "announcement", "channel": "email", "audience": {"emails": []}, "data": data, "start": False}
    id_ = str((await ask(shop, "POST", "/campaigns", told))["id"])
    for first in range(0, len(emails), UPLOAD):
        await ask(shop, "POST", f"/campaigns/{id_}/recipients", {"emails": list(emails[first : first + UPLOAD])})
    return id_


async def done(shop: Shop, id_: str, deadline_s: float = PATIENCE_S, every_s: float = 0.05) -> dict[str, Any]:
    """Wait for a campaign's end and return how it looks then."""

    async def over() -> dict[str, Any] | None:
        shown = await ask(shop, "GET", f"/campaigns/{id_}")
        return shown if shown["status"] == "done" else None

    return await until(over, "the campaign to be done", deadline_s, every_s)
