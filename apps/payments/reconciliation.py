"""Our record of a day against the processors': each field that differs is named, with both values."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson

from apps.chassis.database import Database
from apps.payments import books, store
from apps.payments.payment import Attempt, AttemptStatus, Payment, Refund
from apps.payments.provider import Listed, Provider

_SHOWN: Final = 1_000
_PAGE: Final = 100
_KINDS: Final = ("missing_here", "missing_there", "differing")
_REFUND: Final = "-refund-"
_TAKEN: Final = (AttemptStatus.CAPTURED, AttemptStatus.CONFLICTED)

Json = dict[str, Any]


@dataclass(slots=True)
class Report:
    """What a day came to; lists hold the first thousand of each kind, counts are whole."""

    day: date
    matched: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("missing_here", "missing_there", "differing"), 0)
    )
    missing_here: list[Json] = field(default_factory=list[Json])
    missing_there: list[Json] = field(default_factory=list[Json])
    differing: list[Json] = field(default_factory=list[Json])

    def note(self, kind: str, found: Json) -> None:
        """Count *found*, and keep it while there is room."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        kept: list[Json] = getattr(self, kind)
        if len(kept) < _SHOWN:
            kept.append(found)

    def dump(self) -> bytes:
        """Return its plain form."""
        return orjson.dumps(self)


async def reconcile(database: Database, providers: Mapping[str, Provider], day: date) -> Report:
    """Compare a day of UTC with every processor's list of it."""
    report, seen = Report(day), set[str]()
    for name, provider in providers.items():
        async for page in _in_pages(provider.listed(day)):
            async with database.transaction() as tx:
                ours = await store.get_many(tx, [each.payment_id for each in page if each.payment_id])
            for theirs in page:
                seen.add(theirs.reference)
                _compare(report, name, theirs, ours.get(theirs.payment_id) if theirs.payment_id else None)
    await _look_for_missing(report, database, providers, seen)
    return report


def _compare(report: Report, provider: str, theirs: Listed, payment: Payment | None) -> None:
    ours = _find(payment, theirs.reference) if payment else None
    about = {"provider": provider, "reference": theirs.reference, "provider_id": theirs.provider_id}
    if ours is None or payment is None:
        if theirs.amount:
            value = {"amount": theirs.amount, "currency": theirs.currency, "status": theirs.status}
            report.note("missing_here", about | value)
        return
    values = {
        "amount": (_amount(ours), theirs.amount),
        "currency": (payment.currency, theirs.currency),
        "status": (_status(ours), theirs.status),
    }
    differing = {name: pair for name, pair in values.items() if pair[0] != pair[1]}
    for name, (here, there) in differing.items():
        report.note("differing", about | {"payment_id": payment.id, "field": name, "ours": here, "theirs": there})
    report.matched += not differing


async def _look_for_missing(
    report: Report, database: Database, providers: Mapping[str, Provider], seen: set[str]
) -> None:
    """Ask after each movement of ours that no list of the day shows: a capture may belong to an earlier charge."""
    async for page in books.of_day(database, report.day):
        unseen = {booked.transaction.payment_id: booked for booked in page if booked.transaction.cause not in seen}
        async with database.transaction() as tx:
            payments = await store.get_many(tx, unseen)
        for booked in page:
            cause = booked.transaction.cause
            payment = payments.get(booked.transaction.payment_id)
            ours = _find(payment, cause) if payment and cause not in seen else None
            if payment is None or ours is None:
                continue
            seen.add(cause)
            charged = ours if isinstance(ours, Attempt) else payment.charged_by(ours)
            name = charged.provider
            theirs = await _shown(providers[name], payment, ours, charged)
            if theirs:
                _compare(report, name, theirs, payment)
            else:
                value = {"amount": _amount(ours), "currency": payment.currency, "status": _status(ours)}
                about = {"provider": name, "reference": cause, "payment_id": payment.id}
                report.note("missing_there", about | value)


async def _shown(provider: Provider, payment: Payment, ours: Attempt | Refund, charged: Attempt) -> Listed | None:
    if not ours.provider_id:
        return None
    return await provider.shown(payment.id, ours.reference, ours.provider_id, charged.provider_id or "")


def _find(payment: Payment, reference: str) -> Attempt | Refund | None:
    things: Iterable[Attempt | Refund] = payment.refunds if _REFUND in reference else payment.attempts
    return next((each for each in things if each.reference == reference), None)


def _amount(ours: Attempt | Refund) -> int:
    if isinstance(ours, Refund):
        return ours.amount
    taken = ours.captured if ours.status is AttemptStatus.CAPTURED else ours.amount or 0
    return taken if ours.status in _TAKEN else 0


def _status(ours: Attempt | Refund) -> str:
    return str(ours.state if isinstance(ours, Refund) else ours.status)


async def _in_pages(listed: AsyncIterator[Listed]) -> AsyncIterator[list[Listed]]:
    page: list[Listed] = []
    async for each in listed:
        page.append(each)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def yesterday(now: datetime) -> date:
    """Return the last day of UTC that has been over for an hour: what was under way at midnight is known by then."""
    return (now.astimezone(UTC) - timedelta(days=1, hours=1)).date()
