import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import grpc
import orjson
from dapr.aio.clients import DaprClient
from dapr.clients import BulkPublishEntry
from dapr.clients.grpc._state import StateItem
from dapr.clients.health import DaprHealth
from opentelemetry.trace import SpanKind

from apps.chassis import grpc_calls, seams, telemetry
from apps.chassis.grpc_calls import as_bytes
from apps.chassis.http_calls import complaint, trace_configs
from apps.chassis.outbox import Envelope
from apps.chassis.settings import ServiceSettings

# Where a store has no reads of many keys the sidecar makes one for each, and one after the other unless it is told.
_READS_AT_ONCE = 10
# A backstop: the timeouts that an operator sets are YAML, and all shorter than this.
_INVOKE_TIMEOUT = aiohttp.ClientTimeout(total=60)
_JSON = {"Content-Type": "application/json"}
# A binding's call that were given up here would go on behind the sidecar, beside the next one.
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
_TOO_OLD_CONNECTION_S = 30


class SidecarError(Exception):
    """The sidecar, or what lies behind it, did not do what was asked; trying again may help."""


class StoreMissingError(SidecarError):
    """The sidecar has no component of this name, or is just replacing it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What another service said."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """By names in small letters, where whoever asked has a use for them."""

    def json(self) -> Any:
        """Return the body, decoded."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Document:
    """A value in a state store with the etag it was read at."""

    value: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a named HTTP endpoint is reached through the sidecar, and the session that may do it."""

    url: str
    session: aiohttp.ClientSession

    async def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        """Ask for *path* below the endpoint, *body* as JSON; any HTTP status is an answer, no answer a SidecarError."""
        try:
            async with self.session.request(
                method, self.url + path, params=query, json=body, headers=headers, allow_redirects=False
            ) as response:
                told = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, await response.read(), told)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SidecarError(f"no answer by {self.url}: {type(error).__name__}") from error


class Sidecar:
    """All that a service says to the world goes through here: one gRPC channel, one HTTP pool, per process."""

    def __init__(self, app_id: str, address: str, client: DaprClient, http: aiohttp.ClientSession) -> None:
        self.app_id = app_id
        self._address = address
        self._dapr = client
        self._http = http

    @classmethod
    async def connect(cls, settings: ServiceSettings) -> "Sidecar":
        """Wait for the sidecar and connect; raise SidecarError when it does not come up in time."""
        try:
            # the SDK's constructor blocks on a health check: made in a thread first, it is over at once below
            await asyncio.to_thread(DaprHealth.wait_for_sidecar)
            # the channel belongs to the loop of the thread it is made in
            client = DaprClient()
        except TimeoutError as error:
            raise SidecarError("the sidecar did not become ready") from error
        headers = {"dapr-api-token": settings.sidecar_token.get_secret_value()} if settings.sidecar_token else {}
        address = f"http://127.0.0.1:{settings.sidecar_http_port}"
        http = aiohttp.ClientSession(
            address,
            headers=headers,
            timeout=_INVOKE_TIMEOUT,
            connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=_TOO_OLD_CONNECTION_S),
            trace_configs=trace_configs(),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return cls(settings.service, address, client, http)

    async def close(self) -> None:
        """Close both connections."""
        await self._http.close()
        await self._dapr.close()  # type: ignore[no-untyped-call]

    async def publish(self, pubsub: str, topic: str, envelopes: Sequence[Envelope]) -> set[UUID]:
        """Publish in order, each under its own id; return the ids that the broker did not accept."""
        parents = [envelope.traceparent for envelope in envelopes]
        with telemetry.spread(parents, f"publish {topic}", SpanKind.PRODUCER) as onward:
            entries = [
                BulkPublishEntry(
                    event=envelope.data,
                    content_type="application/json",
                    entry_id=str(envelope.id),
                    metadata=self._attributes(envelope, traceparent),
                )
                for envelope, traceparent in zip(envelopes, onward, strict=True)
            ]
            try:
                response = await self._dapr.publish_events(pubsub, topic, entries)
            except Exception as error:
                raise SidecarError(f"publishing to {pubsub}/{topic} failed") from error
        return {UUID(entry.entry_id) for entry in response.failed_entries}

    def _attributes(self, envelope: Envelope, traceparent: str | None) -> dict[str, str]:
        """Name the CloudEvent's attributes as overrides: in a ready-made CloudEvent the sidecar replaces the trace."""
        attributes = {
            "cloudevent.id": str(envelope.id),
            "cloudevent.source": self.app_id,
            "cloudevent.type": envelope.topic,
            "cloudevent.subject": envelope.key,
            "partitionKey": envelope.key,
        }
        if traceparent:
            attributes["cloudevent.traceparent"] = traceparent
        return attributes

    async def invoke(
        self, app_id: str, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Ask another service; any HTTP status is an answer, no answer is a SidecarError."""
        headers = {"dapr-app-id": app_id}
        if current := telemetry.traceparent():
            headers["traceparent"] = current
        try:
            async with self._http.request(method, path, params=query, json=body, headers=headers) as response:
                return Answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SidecarError(f"{app_id} could not be reached") from error

    def endpoint(self, name: str) -> Endpoint:
        """Return the HTTP endpoint *name* for a client library of its own: its policies are YAML."""
        return Endpoint(f"{self._address}/v1.0/invoke/{name}/method", self._http)

    async def bind(self, name: str, operation: str, data: Any, metadata: Mapping[str, str]) -> bytes:
        """Call an output binding and return its answer; raise SidecarError when it fails.

        By HTTP, which costs half of a lone call by gRPC. The component is given *data* as JSON; those that send mail
        and text messages take the quotes off a string. What the error says tells a call that cannot have reached the
        sidecar from one whose answer was lost.
        """
        call = orjson.dumps({"operation": operation, "data": data, "metadata": metadata})
        seams.before("binding")
        try:
            async with self._http.post(
                f"/v1.0/bindings/{name}", data=call, headers=_JSON, timeout=_NO_TIMEOUT
            ) as response:
                answer = await response.read()
        except aiohttp.ClientConnectorError as error:
            raise SidecarError(f"binding {name}: the sidecar could not be reached") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SidecarError(f"binding {name}: the sidecar gave no answer") from error
        if not response.ok:
            raise SidecarError(f"binding {name}: {complaint(answer)}")
        seams.after("binding")
        return answer

    async def bind_bytes(self, name: str, operation: str, data: bytes) -> bytes:
        """Call an output binding with *data* as it is: by gRPC, which takes nothing apart on the way."""
        seams.before("binding")
        try:
            answer = await self._dapr.invoke_binding(name, operation, data)
        except grpc.aio.AioRpcError as error:
            raise SidecarError(f"binding {name}: {grpc_calls.complaint(error)}") from error
        seams.after("binding")
        return bytes(answer.data)

    async def get_documents(self, store: str, keys: Sequence[str]) -> dict[str, Document]:
        """Read many documents in one call; those that do not exist are absent."""
        try:
            response = await self._dapr.get_bulk_state(store, list(keys), parallelism=_READS_AT_ONCE)
        except grpc.RpcError as error:
            raise _store_error(f"reading from {store} failed", error) from error
        broken = [item.error for item in response.items if item.error]
        if broken:
            raise SidecarError(f"reading from {store} failed")
        return {item.key: Document(as_bytes(item.data), item.etag) for item in response.items if item.data}

    async def put_documents(self, store: str, documents: Mapping[str, bytes], ttl_s: int | None = None) -> None:
        """Write documents, each by itself: not every store has transactions."""
        metadata = {"contentType": "application/json"} | ({"ttlInSeconds": str(ttl_s)} if ttl_s else {})
        items = [StateItem(key=key, value=value, metadata=metadata) for key, value in documents.items()]
        try:
            await self._dapr.save_bulk_state(store, items)
        except grpc.RpcError as error:
            raise _store_error(f"writing to {store} failed", error) from error

    async def delete_document(self, store: str, key: str) -> None:
        """Remove a document; one that does not exist is no error."""
        try:
            await self._dapr.delete_state(store, key)
        except grpc.RpcError as error:
            raise _store_error(f"deleting from {store} failed", error) from error

    async def secret(self, name: str) -> str:
        """Return a secret from the `secrets` store; raise SidecarError naming it when it cannot be had."""
        try:
            response = await self._dapr.get_secret("secrets", name)
        except grpc.aio.AioRpcError as error:
            raise SidecarError(f"secret {name} cannot be read from store secrets: {error.details()}") from error
        value = response.secret.get(name)
        if not value:
            raise SidecarError(f"secret {name} is empty in store secrets")
        return str(value)


def _store_error(what: str, error: grpc.RpcError) -> SidecarError:
    absent = re.search(r"state store \S+ is not (found|configured)", str(error))
    return StoreMissingError(f"{what}: there is no such component") if absent else SidecarError(what)
