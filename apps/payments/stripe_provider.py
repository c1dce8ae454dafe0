"""Stripe, by its official SDK, through the sidecar: timeouts, retries and breakers are YAML, so the SDK has none.

`raw_request_async` rather than the typed calls: 200 instead of 390 microseconds of CPU a call, since no object is
built for each part of the answer; aiohttp alone takes 70.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, cast
from uuid import UUID

import orjson
import stripe
from stripe import AIOHTTPClient, CardError, InvalidRequestError, StripeClient, StripeError, WebhookSignature

from apps.chassis.http_calls import is_shed
from apps.chassis.sidecar import Endpoint
from apps.chassis.telemetry import log
from apps.payments import stripe_answers as answers
from apps.payments import stripe_lists
from apps.payments.methods import token_for
from apps.payments.provider import (
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
)

_TOLERANCE_S: Final = 300
_NOT_FOUND: Final = 404
_RATE_LIMITED: Final = 429
_UNAUTHORISED: Final = (401, 403)
_LONGEST_WAIT_S: Final = 300.0
_EXPAND: Final = ["latest_charge"]

Json = dict[str, Any]


class StripeProvider:
    """Speaks Stripe's wire format; our reference is the idempotency key, and in the metadata to be found by."""

    def __init__(self, endpoint: Endpoint, key: str, webhook_secrets: Sequence[str], return_url: str) -> None:
        stripe.enable_telemetry = False
        self._webhook_secrets = webhook_secrets
        self._return_url = return_url
        self._client = StripeClient(
            key,
            # no timeout of its own: the worker bounds each call, the sidecar's policy more tightly
            http_client=AIOHTTPClient(session=endpoint.session, timeout=None),
            base_addresses={"api": endpoint.url},
            max_network_retries=0,
        )

    async def charge(self, charge: Charge) -> ChargeOutcome:
        """Take the money; the same reference never takes it twice."""
        try:
            return answers.charge(
                await self._post(
                    "/v1/payment_intents",
                    charge.reference,
                    amount=charge.amount,
                    currency=charge.currency.lower(),
                    payment_method=token_for("stripe", charge.method) or charge.method,
                    payment_method_types=["card"],
                    confirm=True,
                    # whoever must confirm to the bank is sent there and back
                    return_url=self._return_url,
                    capture_method="manual" if charge.manual else "automatic",
                    metadata=_labels(charge.payment_id, charge.reference) | {"order_id": str(charge.order_id)},
                    expand=_EXPAND,
                )
            )
        except CardError as error:
            return answers.declined(error)
        except InvalidRequestError as error:
            return Declined(answers.invalid_code(error), None, None, answers.body(error))
        except Exception as error:  # noqa: BLE001  # the SDK lets its client's own errors through
            return _trouble(error)

    async def find(self, charge: Charge) -> ChargeOutcome:
        """Ask what became of a charge."""
        try:
            if charge.provider_id:
                found = await self._get(f"/v1/payment_intents/{charge.provider_id}", expand=_EXPAND)
                return answers.charge(found)
            query = f"metadata['reference']:'{charge.reference}'"
            page = await self._get("/v1/payment_intents/search", query=query, expand=["data.latest_charge"])
        except Exception as error:  # noqa: BLE001
            # a search that is not found is a wrong address: only an empty page says that nothing was charged
            return Missing() if charge.provider_id and _is_missing(error) else _trouble(error)
        return answers.charge(page["data"][0]) if page["data"] else Missing()

    async def capture(self, charge: Charge, amount: int) -> ChargeOutcome:
        """Take *amount* of what is held and let go of the rest; repeated, it says what was taken."""
        return await self._finish(charge, "capture", amount_to_capture=amount)

    async def void(self, charge: Charge) -> ChargeOutcome:
        """Let go of what is held, or of what waits for the customer; repeated, it says what became of it."""
        return await self._finish(charge, "cancel")

    async def _finish(self, charge: Charge, verb: str, **form: Any) -> ChargeOutcome:
        try:
            path = f"/v1/payment_intents/{charge.provider_id}/{verb}"
            return answers.charge(await self._post(path, f"{charge.reference}-{verb}", expand=_EXPAND, **form))
        except InvalidRequestError:
            # it was done before, or something else was: the intent says what
            return await self.find(charge)
        except Exception as error:  # noqa: BLE001
            return _trouble(error)

    async def refund(self, refund: Return) -> RefundOutcome:
        """Give money back; the same reference never gives it twice."""
        try:
            return answers.refund(
                await self._post(
                    "/v1/refunds",
                    refund.reference,
                    payment_intent=refund.charge_id,
                    amount=refund.amount,
                    metadata=_labels(refund.payment_id, refund.reference),
                )
            )
        except InvalidRequestError as error:
            return Refused(answers.body(error))
        except Exception as error:  # noqa: BLE001
            return _trouble(error)

    async def find_refund(self, refund: Return) -> RefundOutcome:
        """Ask what became of a refund."""
        try:
            if refund.provider_id:
                return answers.refund(await self._get(f"/v1/refunds/{refund.provider_id}"))
            page = await self._get("/v1/refunds", payment_intent=refund.charge_id, limit=100)
        except Exception as error:  # noqa: BLE001
            return Missing() if _is_missing(error) else _trouble(error)
        ours = [each for each in page["data"] if each.get("metadata", {}).get("reference") == refund.reference]
        return answers.refund(ours[0]) if ours else Missing()

    def listed(self, day: date) -> AsyncIterator[Listed]:
        """Return every charge and refund made on a day of UTC; raise for trouble on the way."""
        return stripe_lists.of_day(self._get, day)

    async def shown(self, payment_id: UUID, reference: str, provider_id: str, charge_id: str) -> Listed | None:  # noqa: ARG002  # it knows by its own id
        """Return one charge or refund as a list would show it, or None where there is no such thing."""
        kind = "refunds" if provider_id.startswith("re_") else "payment_intents"
        try:
            return answers.listed(await self._get(f"/v1/{kind}/{provider_id}"))
        except InvalidRequestError as error:
            if _is_missing(error):
                return None
            raise

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Verify a webhook by its raw body, or raise NoticeNotValidError."""
        try:
            self._verify(body, headers.get("stripe-signature"))
            event: Json = orjson.loads(body)
            return answers.notice(event)
        except (StripeError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise NoticeNotValidError("The webhook's signature does not hold for its content.") from error

    def _verify(self, body: bytes, signature: str | None) -> None:
        """Accept what any secret in use has signed: while one is replaced, two are."""
        refused: StripeError | None = None
        for secret in self._webhook_secrets:
            try:
                WebhookSignature.verify_header(body, signature, secret, _TOLERANCE_S)
            except StripeError as error:
                refused = error
            else:
                return
        raise refused or NoticeNotValidError

    async def _post(self, path: str, reference: str, **form: Any) -> Json:
        response = await self._client.raw_request_async("post", path, idempotency_key=reference, **form)
        return cast("Json", response.data)

    async def _get(self, path: str, **query: Any) -> Json:
        response = await self._client.raw_request_async("get", path, **query)
        return cast("Json", response.data)


def _labels(payment_id: UUID, reference: str) -> dict[str, str]:
    return {"payment_id": str(payment_id), "reference": reference}


def _is_missing(error: Exception) -> bool:
    return isinstance(error, InvalidRequestError) and error.http_status == _NOT_FOUND


def _trouble(error: Exception) -> Lost | Busy:
    """Tell who asks us to wait from who says nothing; either leaves open whether an earlier hop did it."""
    status = error.http_status if isinstance(error, StripeError) else None
    if status == _RATE_LIMITED:
        return Busy("rate limited", _retry_after(error))
    if isinstance(error, StripeError) and is_shed(answers.body(error)):
        return Busy("breaker open")
    if status in _UNAUTHORISED:
        log.error("processor_refused_key", remedy="correct secret card-processor-key")
        return Busy("key refused", timedelta(seconds=10))
    return Lost(f"{type(error).__name__} {status or ''}".strip())


def _retry_after(error: Exception) -> timedelta | None:
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    named = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return timedelta(seconds=min(max(float(named), 0.0), _LONGEST_WAIT_S))
    except ValueError:
        return None
