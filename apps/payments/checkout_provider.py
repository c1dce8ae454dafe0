"""Checkout.com's Unified Payments API in JSON, as api-reference.checkout.com describes it, through the sidecar.

It decides later than Stripe does: captures, voids and refunds are merely accepted (202), and what became of them is
read from the payment and its actions. A decline is an ordinary answer (201), and amounts of some currencies are
counted otherwise than by ISO 4217.
"""

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from apps.chassis.http_calls import is_shed
from apps.chassis.sidecar import Answer, Endpoint, SidecarError
from apps.chassis.telemetry import log
from apps.payments import checkout_amounts as amounts
from apps.payments import checkout_answers as answers
from apps.payments import checkout_lists
from apps.payments.domain import RefundState
from apps.payments.methods import CHECKOUT, token_for
from apps.payments.provider import (
    Accepted,
    Authorised,
    Busy,
    Charge,
    ChargeOutcome,
    Declined,
    Listed,
    Lost,
    Missing,
    Notice,
    NoticeNotValidError,
    RefundOutcome,
    Refused,
    Return,
    Returned,
)

_OK: Final = range(200, 300)
_UNAUTHORISED: Final = 401
_NOT_FOUND: Final = 404
_RATE_LIMITED: Final = 429
_NO: Final = (403, _NOT_FOUND, 422)
_LONGEST_WAIT_S: Final = 300.0

Json = dict[str, Any]
Told = Json | Lost | Busy | None
"""What was answered: an object, trouble, or that what was asked cannot be done."""


class CheckoutProvider:
    """Speaks Checkout.com's wire format; our reference is its `reference` and the idempotency key."""

    def __init__(self, endpoint: Endpoint, key: str, webhook_secrets: Sequence[str], return_url: str) -> None:
        self._endpoint = endpoint
        self._authorization = f"Bearer {key}"
        self._webhook_secrets = [secret.encode() for secret in webhook_secrets]
        self._return_url = return_url

    async def charge(self, charge: Charge) -> ChargeOutcome:
        """Take the money; the same reference never takes it twice."""
        amount, token = amounts.theirs(charge.amount, charge.currency), token_for(CHECKOUT, charge.method)
        if amount is None or token is None:
            return Declined("amount_not_accepted" if amount is None else "method_not_valid", None, None, b"")
        answer = await self._post(
            "/payments",
            charge.reference,
            source={"type": "token", "token": token} if token.startswith("tok_") else {"type": "id", "id": token},
            amount=amount,
            currency=charge.currency,
            reference=charge.reference,
            capture=not charge.manual,
            # whoever must confirm to the bank is sent there and back
            **{"3ds": {"enabled": True, "attempt_n3d": True}},
            success_url=self._return_url,
            failure_url=self._return_url,
            metadata=_labels(charge.payment_id, charge.reference) | {"order_id": str(charge.order_id)},
        )
        if not isinstance(answer, Answer):
            return answer
        if answer.status in _OK:
            return answers.charge(answer.json(), manual=charge.manual)
        if answer.status == _NOT_FOUND:
            return Lost("no such address")
        return Declined(answers.invalid_code(answer.json()), None, None, answer.body)

    async def find(self, charge: Charge) -> ChargeOutcome:
        """Ask what became of a charge."""
        key = charge.provider_id
        if key is None:
            page = await self._get("/payments", reference=charge.reference, limit="10")
            if not isinstance(page, dict):
                # a list that is not found is a wrong address: only an empty one says that nothing was charged
                return page or Lost("no such list")
            if not page["data"]:
                return Missing()
            key = str(page["data"][0]["id"])
        found = await self._get(f"/payments/{key}")
        if isinstance(found, dict):
            return answers.charge(found, manual=charge.manual)
        return found or Missing()

    async def capture(self, charge: Charge, amount: int) -> ChargeOutcome:
        """Take *amount* of what is held and let go of the rest; repeated, it says what was taken."""
        theirs = amounts.theirs(amount, charge.currency)
        if theirs is None:
            return Declined("amount_not_accepted", None, None, b"")
        return await self._finish(charge, "captures", amount=theirs, capture_type="Final")

    async def void(self, charge: Charge) -> ChargeOutcome:
        """Let go of what is held; repeated, it says what became of it."""
        return await self._finish(charge, "voids")

    async def _finish(self, charge: Charge, verb: str, **fields: Any) -> ChargeOutcome:
        about = {"reference": charge.reference, "metadata": _labels(charge.payment_id, charge.reference)}
        path, once = f"/payments/{charge.provider_id}/{verb}", f"{charge.reference}-{verb}"
        answer = await self._post(path, once, **fields, **about)
        if not isinstance(answer, Answer):
            return answer
        # accepted, or refused since it was done before, or since something else was: the payment says what
        found = await self.find(charge)
        return Accepted(found.provider_id, found.raw) if isinstance(found, Authorised) else found

    async def refund(self, refund: Return) -> RefundOutcome:
        """Give money back; the same reference never gives it twice."""
        amount = amounts.theirs(refund.amount, refund.currency)
        if amount is None:
            return Refused(b"")
        labels = _labels(refund.payment_id, refund.reference)
        path, reference = f"/payments/{refund.charge_id}/refunds", refund.reference
        answer = await self._post(path, reference, amount=amount, reference=reference, metadata=labels)
        if not isinstance(answer, Answer):
            return answer
        if answer.status == _NOT_FOUND:
            return Lost("no such payment")
        if answer.status not in _OK:
            return Refused(answer.body)
        return Returned(answer.json()["action_id"], refund.amount, refund.currency, RefundState.PENDING, answer.body)

    async def find_refund(self, refund: Return) -> RefundOutcome:
        """Ask what became of a refund."""
        actions = await self._get(f"/payments/{refund.charge_id}/actions")
        if isinstance(actions, Lost | Busy):
            return actions
        ours = answers.refund_among(actions or [], refund.reference)
        if ours:
            return answers.refund(ours, refund.currency)
        # accepted and not among the actions yet
        pending = refund.provider_id and Returned(
            refund.provider_id, refund.amount, refund.currency, RefundState.PENDING, b""
        )
        return pending or Missing()

    def listed(self, day: date) -> AsyncIterator[Listed]:
        """Return every charge of a day of UTC and the refunds of these; raise for trouble on the way."""
        return checkout_lists.of_day(self._read, day)

    async def shown(self, payment_id: UUID, reference: str, provider_id: str, charge_id: str) -> Listed | None:  # noqa: ARG002  # theirs are enough
        """Return a charge, or a refund of the charge *charge_id*, as a list would show it; None where there is none."""
        payment = await self._read("GET", f"/payments/{charge_id}")
        if payment is None or provider_id == charge_id:
            return answers.listed(payment) if payment else None
        found = answers.refund_among(await self._read("GET", f"/payments/{charge_id}/actions") or [], reference)
        return answers.listed_refund(payment, found) if found else None

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Verify a webhook by its raw body, or raise NoticeNotValidError; the scheme signs no time."""
        signature = headers.get("cko-signature", "").lower().encode()
        # every secret is tried, whichever fits: while one is replaced, two are in use
        fits = [
            hmac.compare_digest(hmac.digest(secret, body, "sha256").hex().encode(), signature)
            for secret in self._webhook_secrets
        ]
        try:
            if any(fits):
                return answers.notice(orjson.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoticeNotValidError("The webhook's content cannot be read.") from error
        raise NoticeNotValidError("The webhook's signature does not hold for its content.")

    async def _post(self, path: str, once: str, **fields: Any) -> Answer | Lost | Busy:
        """Return an answer that says yes or no; what was done under *once* is not done again for a day."""
        answer = await self._send("POST", path, body=fields, headers={"Cko-Idempotency-Key": once})
        said = isinstance(answer, Answer) and (answer.status in _OK or answer.status in _NO)
        return answer if said or not isinstance(answer, Answer) else _trouble(answer)

    async def _get(self, path: str, **query: str) -> Any:
        """Return what is there, None where nothing is, or the trouble."""
        answer = await self._send("GET", path, query=query)
        if not isinstance(answer, Answer) or answer.status == _NOT_FOUND:
            return answer if not isinstance(answer, Answer) else None
        return answer.json() if answer.status in _OK else _trouble(answer)

    async def _read(self, method: str, path: str, body: Json | None = None) -> Any:
        """Return what is there, None where nothing is; raise for anything else."""
        answer = await self._send(method, path, body=body)
        if isinstance(answer, Answer) and answer.status in (*_OK, _NOT_FOUND):
            return answer.json() if answer.status in _OK else None
        raise SidecarError(f"the processor did not answer {method} {path}")

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Lost:
        sent = {"Authorization": self._authorization, **(headers or {})}
        try:
            return await self._endpoint.call(method, path, headers=sent, query=query, body=body)
        except SidecarError as error:
            return Lost(str(error))


def _labels(payment_id: UUID, reference: str) -> dict[str, str]:
    return {"payment_id": str(payment_id), "reference": reference}


def _trouble(answer: Answer) -> Lost | Busy:
    """Tell who asks us to wait from who says nothing; either leaves open whether an earlier hop did it."""
    if answer.status == _RATE_LIMITED:
        return Busy("rate limited", _retry_after(answer))
    if is_shed(answer.body):
        return Busy("breaker open")
    if answer.status == _UNAUTHORISED:
        log.error("processor_refused_key", remedy="correct secret card-processor-2-key")
        return Busy("key refused", timedelta(seconds=10))
    return Lost(f"status {answer.status}")


def _retry_after(answer: Answer) -> timedelta | None:
    try:
        return timedelta(seconds=min(max(float(answer.headers.get("retry-after", "")), 0.0), _LONGEST_WAIT_S))
    except ValueError:
        return None
