"""What `sidecart keys` asks of each replica, from the same machine and through no sidecar."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from apps.chassis.app import Here
from apps.chassis.auth import internal
from apps.chassis.database import Tx
from apps.payments import rewrapping
from apps.payments.rewrapping import Page
from apps.payments.sealing import Vault, keks_from

router = APIRouter(prefix="/internal/operator/keys", dependencies=[internal()], include_in_schema=False)


class Known(BaseModel):
    """The ids of the keys that this process holds, the current one first."""

    known: list[str]


class Rewrap(BaseModel):
    """One page of one table."""

    table: Literal[
        "payments",
        "ledger",
        "provider_answers",
        "notices",
        "reconciliations",
        "ledger_balances",
        "outbox",
        "dead_letters",
        "idempotent_replies",
    ]
    after: str = ""


@router.post("/read")
async def read(here: Here) -> Known:
    """Read the key-encryption keys from the secret store again."""
    vault: Vault = here.codec  # type: ignore[assignment]  # this service's codec is always the vault
    keks = keks_from(await here.sidecar.secret("payments-keks"))
    vault.rekey(keks, next(iter(keks)))
    return Known(known=vault.known)


@router.post("/rewrap")
async def rewrap(page: Rewrap, tx: Tx) -> Page:
    """Put another key-encryption key under one page of what is stored."""
    return await rewrapping.rewrap(tx, page.table, page.after)
