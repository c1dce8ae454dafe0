from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from apps.chassis.app import Here
from apps.chassis.auth import Caller, Support, internal, public
from apps.chassis.database import Tx
from apps.chassis.idempotency import OnceOnly
from apps.chassis.problems import may
from apps.payments import store, use_cases
from apps.payments.provider import Provider, UnknownProviderError
from apps.payments.schemas import AskCapture, AskRefund, PayAgain, PaymentPage, PaymentView, StateView

router = APIRouter(prefix="/payments", tags=["payments"])
webhooks = APIRouter(prefix="/webhooks", tags=["webhooks"])
questions = APIRouter(prefix="/internal/payments", include_in_schema=False)


@router.get("")
async def list_payments(order_id: Annotated[UUID, Query()], caller: Caller, tx: Tx) -> PaymentPage:
    """Show an order's payment to whoever placed it, or to support."""
    found = await use_cases.list_by_order(tx, caller, order_id)
    return PaymentPage(items=[PaymentView.of(payment) for payment in found])


@router.get("/{payment_id}", responses=may(404))
async def get_payment(payment_id: UUID, caller: Caller, tx: Tx) -> PaymentView:
    """Show one payment to its owner or to support."""
    return PaymentView.of(await use_cases.see(tx, caller, payment_id))


@router.post("", status_code=202, response_model=PaymentView, responses=may(404, 409))
async def pay_again(command: PayAgain, caller: Caller, once: OnceOnly, tx: Tx) -> Response:
    """Try another method after a decline; the outcome follows by GET and as an event."""
    payment = await use_cases.pay_again(tx, caller, command.order_id, command.payment_method)
    return await once.reply(PaymentView.of(payment), 202)


@router.post("/{payment_id}/refunds", status_code=202, response_model=PaymentView, responses=may(404, 409))
async def refund(payment_id: UUID, command: AskRefund, _caller: Support, once: OnceOnly, tx: Tx) -> Response:
    """Give money back, never more than was captured; the outcome follows by GET and as an event."""
    payment = await use_cases.refund(tx, payment_id, command.amount, command.reason)
    return await once.reply(PaymentView.of(payment), 202)


@router.post("/{payment_id}/capture", status_code=202, response_model=PaymentView, responses=may(404, 409))
async def capture(payment_id: UUID, command: AskCapture, _caller: Support, once: OnceOnly, tx: Tx) -> Response:
    """Take what is held, or a part and let go of the rest; the outcome follows by GET and as an event."""
    payment = await use_cases.capture(tx, payment_id, command.amount)
    return await once.reply(PaymentView.of(payment), 202)


@router.post("/{payment_id}/void", status_code=202, response_model=PaymentView, responses=may(404, 409))
async def void(payment_id: UUID, _caller: Support, once: OnceOnly, tx: Tx) -> Response:
    """Let go of what is held; the outcome follows by GET and as an event."""
    return await once.reply(PaymentView.of(await use_cases.void(tx, payment_id)), 202)


@webhooks.post("/{provider}", dependencies=[public], responses=may(400, 404))
async def hear(provider: str, request: Request, here: Here, tx: Tx) -> Response:
    """Take the processor's word that something happened; what happened, it is asked."""
    providers: Mapping[str, Provider] = here.extra
    if provider not in providers:
        raise UnknownProviderError(f"There is no processor {provider!r} here.")
    await use_cases.hear(tx, providers[provider], await request.body(), request.headers)
    return Response(status_code=200)


@questions.get("/state", dependencies=[internal("orders")])
async def state(order_id: Annotated[UUID, Query()], tx: Tx) -> StateView:
    """Say where an order's payment stands; 404 while the order has not been heard of."""
    return StateView.of(await store.get_by_order(tx, order_id))
