"""Stripe's lists, page by page, for reconciliation: no hot path, and whoever reads them waits for what fails."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from apps.payments import stripe_answers as answers
from apps.payments.provider import Listed

_PAGE: Final = 100
_PATHS: Final = ("/v1/payment_intents", "/v1/refunds")

Get = Callable[..., Awaitable[dict[str, Any]]]


async def of_day(get: Get, day: date) -> AsyncIterator[Listed]:
    """Return every charge and refund made on a day of UTC."""
    start = datetime.combine(day, time(), UTC)
    created = {"gte": int(start.timestamp()), "lt": int((start + timedelta(days=1)).timestamp())}
    for path in _PATHS:
        after: dict[str, str] = {}
        while True:
            page = await get(path, created=created, limit=_PAGE, **after)
            for thing in page["data"]:
                yield answers.listed(thing)
            if not page["has_more"]:
                break
            after = {"starting_after": page["data"][-1]["id"]}
