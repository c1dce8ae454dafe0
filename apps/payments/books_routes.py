"""What staff read of the books; under paths of their own, as the public API has them."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from apps.chassis.app import Here
from apps.chassis.auth import Staff
from apps.chassis.database import Tx
from apps.chassis.problems import may
from apps.payments import balances, books, reconciling
from apps.payments.books import Booked

router = APIRouter(tags=["books"])


class Balance(BaseModel):
    """An account in one currency: above nought debits prevail, below credits."""

    account: str
    currency: str
    balance: int


class Accounts(BaseModel):
    """Every account; the balances of a currency come to nought."""

    items: list[Balance]
    next: None = None


class EntryView(BaseModel):
    """One side of a transaction."""

    id: str
    payment_id: UUID
    transaction: int
    at: datetime
    kind: str
    cause: str
    account: str
    debit: int
    credit: int
    currency: str


class Entries(BaseModel):
    """A payment's entries in the order they were booked."""

    items: list[EntryView]
    next: None = None


@router.get("/ledger/accounts")
async def accounts(_caller: Staff, here: Here) -> Accounts:
    """Show what each account comes to, by currency."""
    sums = await balances.now(here.database)
    rows = [Balance(account=account, currency=code, balance=sums[account, code]) for account, code in sorted(sums)]
    return Accounts(items=rows)


@router.get("/ledger/entries")
async def entries(payment_id: Annotated[UUID, Query()], _caller: Staff, tx: Tx) -> Entries:
    """Show how one payment was booked."""
    booked = await books.entries_of(tx, payment_id)
    return Entries(items=[view for each in booked for view in _views(each)])


@router.get("/reconciliations/{day}", responses=may(404))
async def reconciliation(day: date, _caller: Staff, tx: Tx) -> dict[str, Any]:
    """Show what a day's comparison with the processors found."""
    return await reconciling.get(tx, day)


@router.post("/reconciliations/{day}", status_code=202)
async def reconcile(day: date, _caller: Staff, tx: Tx) -> Response:
    """Have a day compared anew at the next tick of the clock; today so far is a day as well."""
    await reconciling.want(tx, min(day, datetime.now(UTC).date()))
    return Response(status_code=202)


def _views(booked: Booked) -> list[EntryView]:
    made = booked.transaction
    return [
        EntryView(
            id=f"{made.payment_id}/{made.number}/{place}",
            payment_id=made.payment_id,
            transaction=made.number,
            at=booked.at,
            kind=made.kind,
            cause=made.cause,
            account=entry.account,
            debit=max(entry.amount, 0),
            credit=max(-entry.amount, 0),
            currency=made.currency,
        )
        for place, entry in enumerate(made.entries, 1)
    ]
