"""The same POST twice has one effect: the key is written in the effect's own transaction."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn
from uuid import UUID

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.codec import Codec
from apps.chassis.database import Tx
from apps.chassis.problems import ProblemError

_MAX_KEY = 255
# Lock and look in one round trip. The look may miss a reply committed just before the lock was free; `_KEEP` then
# finds the key taken, and the effect is rolled back.
_BEGIN = text("""
SELECT pg_try_advisory_xact_lock(:lock) AS held, kept.fingerprint, kept.reply
FROM (SELECT 1) AS one LEFT JOIN idempotent_replies kept ON kept.key = :key
""")
_FIND = text("SELECT fingerprint, reply FROM idempotent_replies WHERE key = :key")
_KEEP = text(
    "INSERT INTO idempotent_replies (key, fingerprint, reply) VALUES (:key, :fingerprint, :reply) "
    "ON CONFLICT DO NOTHING RETURNING key"
)


class Replayed(Exception):  # noqa: N818  # no error: the answer is known already
    """The request was done before; this is what it was answered."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller called one POST, and what it asked; for routes that open their transactions themselves."""

    codec: Codec
    key: UUID
    fingerprint: bytes

    async def recall(self, connection: AsyncSession | AsyncConnection) -> None:
        """Raise Replayed where this was done before, or 422 where the key named other content; claim nothing."""
        if kept := (await connection.execute(_FIND, {"key": self.key})).first():
            self._answer(kept)

    async def begin(self, tx: AsyncSession) -> "Once":
        """Go on as the only request with this key; raise Replayed, or 409 while another is at it, or 422."""
        lock = int.from_bytes(self.key.bytes[:8], signed=True)
        # a transaction's advisory lock: a crash frees it, and there is no lease to run out
        found = (await tx.execute(_BEGIN, {"lock": lock, "key": self.key})).one()
        if not found.held:
            raise _in_progress()
        if found.reply is not None:
            self._answer(found)
        return Once(tx, self.codec, self.key, self.fingerprint)

    def _answer(self, kept: Row[Any]) -> NoReturn:
        if kept.fingerprint != self.fingerprint:
            raise ProblemError(422, "idempotency-key-reused", "This Idempotency-Key was used with other content.")
        raise Replayed(_restore(self.codec.open(kept.reply, f"idempotent_replies:{self.key}")))


class Once:
    """One request under its Idempotency-Key; `reply` ends it."""

    def __init__(self, tx: AsyncSession, codec: Codec, key: UUID, fingerprint: bytes) -> None:
        self._tx = tx
        self._codec = codec
        self._key = key
        self._fingerprint = fingerprint

    async def reply(self, content: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Keep the answer beside its effect, and return it."""
        body = content.model_dump_json().encode()
        return await self.reply_json(body, status, headers)

    async def reply_json(self, body: bytes, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """Do as `reply` does, for a body that is JSON already."""
        stored = {"status": status, "headers": dict(headers or {}), "body": body.decode()}
        sealed = self._codec.seal(orjson.dumps(stored), f"idempotent_replies:{self._key}")
        values = {"key": self._key, "fingerprint": self._fingerprint, "reply": sealed}
        if (await self._tx.execute(_KEEP, values)).first() is None:
            raise _in_progress()
        return Response(body, status, dict(headers or {}), "application/json")


def _in_progress() -> ProblemError:
    detail = "A request with this Idempotency-Key is in progress; try again shortly."
    return ProblemError(409, "request-in-progress", detail, {"Retry-After": "1"})


async def _key(request: Request) -> IdempotencyKey:
    key = request.headers.get("idempotency-key", "").strip().strip('"')
    if not key:
        detail = "Send an Idempotency-Key header: a value of your own, the same when you try again."
        raise ProblemError(400, "idempotency-key-required", detail)
    if len(key) > _MAX_KEY or not key.isprintable():
        raise ProblemError(400, "idempotency-key-invalid", f"An Idempotency-Key has at most {_MAX_KEY} characters.")
    codec: Codec = request.app.state.chassis.codec
    return IdempotencyKey(codec, _scoped(request, key), _fingerprint(await request.body()))


# For a route that calls out between transactions: `recall` before, `begin` in the transaction of the effect.
Keyed = Annotated[IdempotencyKey, Depends(_key)]


async def _once(key: Keyed, tx: Tx) -> Once:
    return await key.begin(tx)


OnceOnly = Annotated[Once, Depends(_once)]


def _scoped(request: Request, key: str) -> UUID:
    """Return the key as stored: bound to the caller and the route, and unreadable."""
    subject: str = request.state.subject  # set by the route's access declaration, which FastAPI solves first
    return UUID(bytes=hashlib.sha256(f"{subject}|{request.url.path}|{key}".encode()).digest()[:16])


def _fingerprint(body: bytes) -> bytes:
    """Hash the content, not its spelling: key order and white space do not matter."""
    try:
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS) if body else b""
    except orjson.JSONDecodeError:
        canonical = body
    return hashlib.sha256(canonical).digest()


def _restore(stored: bytes) -> Response:
    kept: dict[str, Any] = orjson.loads(stored)
    headers = {**kept["headers"], "Idempotent-Replayed": "true"}
    return Response(kept["body"].encode(), kept["status"], headers, "application/json")


async def replay(_request: Request, replayed: Replayed) -> Response:
    """Answer as before."""
    return replayed.answer
