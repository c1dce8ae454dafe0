"""Every hop that a policy guards: how to call over it as its service does, and the numbers that its YAML states."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import aiohttp

from apps.contracts.users import UserErased
from tests.support.documents import SERVICES, read
from tests.support.system import System

# How long the client library of the Redis components waits for an answer.
REDIS_S = 3.0
SHED = "circuit breaker is open"
MAIL = {
    "emailTo": "hop@example.org",
    "subject": "A hop",
    "emailFrom": "shop@sidecart.example",
    "emailCC": "",
    "emailBCC": "",
    "priority": "3",
}
TEXT = {"toNumber": "+4915112345678", "X-To-Number": "+4915112345678", "X-To": "hop", "X-Title": "A hop"}

# True, and to be taken by whoever hears it: what nobody can read would be among the dead letters.
NOBODY = UserErased(user_id=UUID(int=0), sequence=1, erased_at=datetime(2026, 1, 1, tzinfo=UTC)).model_dump(mode="json")


def seconds(text: str) -> float:
    """Read a duration as the policies write it."""
    number, unit = re.fullmatch(r"(\d+)(ms|s)", text).groups()  # type: ignore[union-attr]  # a contract test holds it
    return int(number) / (1000 if unit == "ms" else 1)


@dataclass(frozen=True)
class Numbers:
    """What the files say about one target, in one sidecar."""

    timeout_s: float
    tries: int = 1
    pause_s: float = 0.0
    trips_after: int = 0
    closed_after_s: float = 0.0

    def lasting_s(self, each_s: float) -> float:
        """Return how long a call takes whose every try takes *each_s*."""
        return each_s * self.tries + self.pause_s * (self.tries - 1)

    @property
    def calls_to_trip(self) -> int:
        return -(-self.trips_after // self.tries)


@dataclass(frozen=True)
class Call:
    ok: bool
    took_s: float
    text: str

    @property
    def shed(self) -> bool:
        return SHED in self.text


@dataclass(frozen=True)
class Hop:
    name: str
    sidecar: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    gives_up_s: float | None = None
    """How long the component itself waits for an answer, where that is less than the policy."""
    alone: bool = False
    """Whether only one call at a time is safe."""

    @cached_property
    def numbers(self) -> Numbers:
        for document in read("resiliency"):
            targets = document.spec["targets"]
            found = targets.get("apps", {}).get(self.name) or targets.get("components", {}).get(self.name, {}).get(
                "outbound"
            )
            if found and self.sidecar in document.scopes:
                return _numbers(document.spec["policies"], found)
        raise AssertionError(f"no policy of {self.sidecar} names {self.name}")

    async def call(self, system: System, session: aiohttp.ClientSession) -> Call:
        url = f"http://127.0.0.1:{system.port(3501 + SERVICES.index(self.sidecar))}/v1.0/{self.path}"
        headers = {
            "dapr-api-token": system.sidecar_token(self.sidecar),
            "content-type": "application/json",
            **self.headers,
        }
        if self.name.startswith("card-processor"):
            headers["authorization"] = f"Bearer {system.secret(f'{self.name}-key')}"
        content = None if self.body is None else json.dumps(self.body)
        began = time.monotonic()
        try:
            async with session.request(self.method, url, data=content, headers=headers) as answer:
                text = await answer.text()
                return Call(answer.ok, time.monotonic() - began, text)
        except aiohttp.ClientConnectionError as error:
            return Call(ok=False, took_s=time.monotonic() - began, text=repr(error))


def _numbers(policies: dict[str, Any], target: dict[str, str]) -> Numbers:
    retry = policies["retries"][target["retry"]] if "retry" in target else None
    breaker = policies["circuitBreakers"][target["circuitBreaker"]]
    return Numbers(
        timeout_s=seconds(policies["timeouts"][target["timeout"]]),
        tries=1 + int(retry["maxRetries"]) if retry else 1,
        pause_s=seconds(retry["duration"]) if retry else 0.0,
        trips_after=int(breaker["trip"].removeprefix("consecutiveFailures >= ")),
        closed_after_s=seconds(breaker["timeout"]),
    )


def sending(name: str, metadata: dict[str, str], **more: Any) -> Hop:
    body = {"operation": "create", "data": "hop", "metadata": metadata}
    return Hop(name, "notifications", "POST", f"bindings/{name}", body, **more)


HOPS: Final = (
    Hop("card-processor", "payments", "GET", "invoke/card-processor/method/v1/payment_intents?limit=1"),
    Hop("card-processor-2", "payments", "GET", "invoke/card-processor-2/method/payments?reference=hop"),
    sending("email", MAIL, alone=True),
    sending("email-2", MAIL, alone=True),
    sending("sms", TEXT, gives_up_s=10.0),
    sending("push", TEXT, gives_up_s=10.0),
    # nobody hears either of these topics
    Hop("pubsub", "users", "POST", "publish/pubsub/user-erased", NOBODY, gives_up_s=REDIS_S),
    Hop(
        "notification-queue",
        "notifications",
        "POST",
        "publish/notification-queue/nobody-listens",
        {},
        gives_up_s=REDIS_S,
    ),
    Hop("order-details", "orders", "GET", "state/order-details/nothing"),
    Hop("undelivered", "notifications", "GET", "state/undelivered/nothing"),
    Hop("users", "orders", "GET", "invoke/users/method/.well-known/jwks.json"),
)
