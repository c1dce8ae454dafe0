from typing import Any


class Refused(Exception):  # noqa: N818 - read as `raise Refused(...)`
    """An answer in the shape of a Stripe error; *kept* tells whether what led to it is recorded, as a decline is."""

    def __init__(self, status: int, *, kept: bool = False, **error: Any) -> None:
        super().__init__(error.get("message", ""))
        self.status = status
        self.kept = kept
        self.body = {"error": {name: value for name, value in error.items() if value is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refused:
    """Return a 400: the request itself is wrong."""
    return Refused(400, type="invalid_request_error", message=message, param=param, code=code)


def missing(kind: str, key: str, param: str = "id") -> Refused:
    """Return a 404: there is no such object."""
    message = f"No such {kind}: '{key}'"
    return Refused(404, type="invalid_request_error", code="resource_missing", message=message, param=param)


def unexpected_state(verb: str, intent: dict[str, Any], needed: str) -> Refused:
    """Return a 400: the intent's status does not allow *verb*."""
    return Refused(
        400,
        type="invalid_request_error",
        code="payment_intent_unexpected_state",
        message=f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses may be {verb}: {needed}.",
        payment_intent=intent,
    )
