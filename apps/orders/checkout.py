"""Placing: all who order at the same moment share the reads, the documents' call and the transaction."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis import idempotency, outbox
from apps.chassis.app import Chassis
from apps.chassis.idempotency import IdempotencyKey, Kept, Replayed, in_progress
from apps.chassis.problems import ProblemError
from apps.contracts.base import Money
from apps.contracts.orders import Line, OrderPlaced
from apps.orders import details, intents, placing, reading, selling
from apps.orders.details import Reference
from apps.orders.domain import NUMBER_BITS, LinesRefusedError, OutOfStockError, number
from apps.orders.placing import Placement
from apps.orders.replica import Reads
from apps.orders.schemas import PlaceOrder
from apps.orders.store import line_at

Outcome = Response | Exception


@dataclass(frozen=True, slots=True)
class Wanted:
    """One customer's request to buy, and the trace it belongs to."""

    id: UUID
    at: datetime
    """The moment that the id tells: lists by time go by ids."""
    key: IdempotencyKey
    customer_id: UUID
    actor: str
    command: PlaceOrder
    traceparent: str | None
    trace_id: str | None


async def place(chassis: Chassis, wanted: Sequence[Wanted]) -> list[Outcome]:
    """Answer each request in order; nobody's refusal is another's.

    The documents are written first, so that no order is ever without one; a crash leaves orphans at most.
    """
    outcomes: dict[UUID, Outcome] = {}
    reads: Reads = chassis.extra.reads
    async with chassis.database.reading() as connection:
        await _refuse(connection, wanted, outcomes)
        going = [each for each in wanted if each.id not in outcomes]
        if not going:
            return [outcomes[each.id] for each in wanted]
        documents = {Reference(each.id, 1): details.of(each.command) for each in going}
        intent = await intents.announce(connection, documents)
    await details.put(chassis.documents, documents)
    async with chassis.database.transaction() as tx:
        outcomes |= await _write(tx, going, intent)
        await reads.mark(tx, [each.customer_id for each in going if isinstance(outcomes[each.id], Response)])
    return [outcomes[each.id] for each in wanted]


async def _refuse(connection: AsyncConnection, wanted: Sequence[Wanted], outcomes: dict[UUID, Outcome]) -> None:
    """Answer what was done before, what is being done in this very group, and what can never be sold."""
    kept = await idempotency.recall_many(connection, [each.key for each in wanted])
    listed = await placing.listed(connection, sorted({line.sku for each in wanted for line in each.command.lines}))
    first: dict[UUID, UUID] = {}
    for each in wanted:
        try:
            if row := kept.get(each.key.key):
                each.key.answer(row)
            if first.setdefault(each.key.key, each.id) != each.id:
                raise in_progress()  # told like the rest
            selling.check(each.command.lines, listed)
            _suffices(each.command, listed)
        except (Replayed, ProblemError, LinesRefusedError, OutOfStockError) as told:
            outcomes[each.id] = told


def _suffices(command: PlaceOrder, listed: dict[str, Any]) -> None:
    """Refuse what is sold out already: it needs neither a document nor anybody's lock."""
    short = [line.sku for line in command.lines if not placing.enough(listed[line.sku], line.quantity)]
    if short:
        raise OutOfStockError(short)


async def _write(tx: AsyncSession, going: Sequence[Wanted], intent: UUID) -> dict[UUID, Outcome]:
    """Decide in the order of arrival over locked stock, then write all that was granted at once."""
    told = await idempotency.begin_many(tx, [each.key for each in going])
    outcomes: dict[UUID, Outcome] = {each.id: told[each.key.key] for each in going if each.key.key in told}
    products = await placing.lock(tx, [line.sku for each in going for line in each.command.lines])
    left = {sku: row.stock for sku, row in products.items()}
    taken: Counter[str] = Counter()
    granted: list[tuple[Wanted, Placement]] = []
    for each in going:
        if each.id in outcomes:
            continue
        try:
            granted.append((each, _grant(each, products, left, taken)))
        except OutOfStockError as short:
            outcomes[each.id] = short
    sold = {wanted.id for wanted, _ in granted}
    await intents.settle(tx, intent, [Reference(each.id, 1) for each in going if each.id not in sold])
    if granted:
        await placing.take(tx, taken)
        await placing.add(tx, [placement for _, placement in granted])
        outcomes |= await _answer(tx, granted)
    return outcomes


def _grant(wanted: Wanted, products: dict[str, Any], left: dict[str, int | None], taken: Counter[str]) -> Placement:
    """Take what is wanted off what is left, all of it or nothing; raise OutOfStockError naming what is short."""
    lines = wanted.command.lines
    short = [line.sku for line in lines if not placing.enough(products.get(line.sku), line.quantity, left)]
    if short:
        raise OutOfStockError(short)
    for line in lines:
        stock = left[line.sku]
        if stock is not None:
            left[line.sku] = stock - line.quantity
            taken[line.sku] += line.quantity
    bought = [line_at(products[line.sku], line.quantity, products[line.sku].price) for line in lines]
    name = number(secrets.randbits(NUMBER_BITS))
    return Placement(
        wanted.id, name, wanted.customer_id, bought, _total(bought), wanted.at, wanted.actor, wanted.trace_id
    )


async def _answer(tx: AsyncSession, granted: Sequence[tuple[Wanted, Placement]]) -> dict[UUID, Outcome]:
    answers: dict[UUID, Kept] = {}
    for wanted, placement in granted:
        outbox.record(tx, _placed(placement, wanted.command.payment_method), trace=wanted.traceparent)
        view = reading.view_of_new(placement, details.of(wanted.command))
        answers[wanted.id] = wanted.key.kept(view, 201, reading.headers(placement.id, 1))
    if await idempotency.keep(tx, list(answers.values())) < len(answers):
        # Somebody's twin was committed after the look. Nothing may stay of this; one by one the others get through.
        raise in_progress()
    return {id_: kept.response() for id_, kept in answers.items()}


def _total(lines: Sequence[Line]) -> Money:
    amount = sum(line.quantity * line.unit_price.amount for line in lines)
    return Money(amount=amount, currency=lines[0].unit_price.currency)


def _placed(placement: Placement, payment_method: str) -> OrderPlaced:
    return OrderPlaced(
        sequence=1,
        order_id=placement.id,
        customer_id=placement.customer_id,
        number=placement.number,
        total=placement.total,
        payment_method=payment_method,
        placed_at=placement.placed_at,
    )
