"""Checkout.com's payments of a day, page by page, for reconciliation: no hot path, and whoever reads them waits."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from apps.payments import checkout_answers as answers
from apps.payments.provider import Listed

_PAGE: Final = 100
_SEARCH: Final = "/payments/search"

Read = Callable[..., Awaitable[Any]]


async def of_day(read: Read, day: date) -> AsyncIterator[Listed]:
    """Return every payment requested on a day of UTC, each followed by its refunds.

    A refund of an older payment is not found by its day here; reconciliation asks for each of ours by itself.
    """
    start = datetime.combine(day, time(), UTC)
    bounds = {"from": _moment(start), "to": _moment(start + timedelta(days=1))}
    page = await read("POST", _SEARCH, {**bounds, "limit": _PAGE})
    while page:
        for payment in page["data"]:
            yield answers.listed(payment)
            if any(each.get("type") == "Refund" for each in payment.get("actions") or []):
                for action in await read("GET", f"/payments/{payment['id']}/actions") or []:
                    if action.get("type") == "Refund":
                        yield answers.listed_refund(payment, action)
        following = ((page.get("_links") or {}).get("next") or {}).get("href")
        if not following:
            break
        page = await read("POST", f"{_SEARCH}?{urlsplit(following).query}", {**bounds, "limit": _PAGE})


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
