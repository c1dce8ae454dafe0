"""The part of an order that is a document: immutable, one per revision, written before the row that names it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.copying import Keys
from apps.chassis.documents import Documents
from apps.orders import store
from apps.orders.schemas import Address, PlaceOrder

STORE = "order-details"


class DetailsMissingError(Exception):
    """A document that must exist was not found: its store is being moved, or is not the right one."""

    def __init__(self) -> None:
        super().__init__("The details of an order cannot be read right now; try again shortly.")


class Details(BaseModel):
    """What has no column: free text, and whatever shape a product's options have."""

    configurations: dict[str, dict[str, Any]]
    """By sku."""
    shipping_address: Address
    note: str | None
    payment_method: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Names one document."""

    order_id: UUID
    revision: int

    @property
    def key(self) -> str:
        """The key in the store."""
        return f"{self.order_id}.{self.revision}"


def of(command: PlaceOrder) -> Details:
    """Return what of an order goes into its document."""
    configurations = {line.sku: line.configuration for line in command.lines if line.configuration is not None}
    # everything in here was validated as part of the command
    return Details.model_construct(
        configurations=configurations,
        shipping_address=command.shipping_address,
        note=command.note,
        payment_method=command.payment_method,
    )


async def put(documents: Documents, new: Mapping[Reference, Details]) -> None:
    """Write documents in one call; raise SidecarError where one may not have been kept."""
    if new:
        written = {reference.key: document.model_dump_json().encode() for reference, document in new.items()}
        await documents.put(STORE, written)


async def get(documents: Documents, references: Iterable[Reference]) -> Sequence[Details]:
    """Read documents in one call, in the order asked for; raise DetailsMissingError where one is not there."""
    keys = [reference.key for reference in references]
    found = await documents.get(STORE, keys) if keys else {}
    if len(found) < len(keys):
        raise DetailsMissingError
    return [Details.model_validate_json(found[key].value) for key in keys]


async def keys_between(tx: AsyncSession, after: str, until: str, limit: int) -> list[str]:
    """Return the keys that orders name, in their order; the empty text stands before all."""
    rows = await store.list_documents(tx, _order_of(after) if after else UUID(int=0), _order_of(until), limit)
    return [Reference(*row).key for row in rows]


async def last_key(tx: AsyncSession) -> str | None:
    """Return the key of the newest order."""
    row = await store.last_document(tx)
    return Reference(*row).key if row else None


def _order_of(key: str) -> UUID:
    return UUID(key.partition(".")[0])


KEYS: Final = Keys(keys_between, last_key)
