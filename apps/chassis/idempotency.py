"""The same POST twice has one effect: the key is written in the effect's own transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn
from uuid import UUID

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.codec import Codec
from apps.chassis.database import Tx
from apps.chassis.hot import Hot
from apps.chassis.problems import ProblemError

_MAX_KEY = 255
# Lock and look in one round trip. The look may miss a reply committed just before the lock was free; `_KEEP` then
# finds the key taken, and the effect is rolled back.
_BEGIN = Hot("""
SELECT pg_try_advisory_xact_lock(:lock) AS held, kept.fingerprint, kept.reply
FROM (SELECT 1) AS one LEFT JOIN idempotent_replies kept ON kept.key = :key
""")
_FIND = Hot("SELECT fingerprint, reply FROM idempotent_replies WHERE key = :key")
_FIND_MANY = Hot("SELECT key, fingerprint, reply FROM idempotent_replies WHERE key = ANY(CAST(:keys AS uuid[]))")
_LOCK_MANY = Hot("""
SELECT key, pg_try_advisory_xact_lock(lock) AS held
FROM unnest(CAST(:locks AS bigint[]), CAST(:keys AS uuid[])) AS wanted(lock, key)
""")
_KEEP = Hot("""
INSERT INTO idempotent_replies (key, fingerprint, reply)
SELECT * FROM unnest(CAST(:keys AS uuid[]), CAST(:fingerprints AS bytea[]), CAST(:replies AS bytea[]))
ON CONFLICT DO NOTHING RETURNING key
""")


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
        for kept in await _FIND.run(connection, key=self.key):
            self.answer(kept)

    async def begin(self, tx: AsyncSession) -> "Once":
        """Go on as the only request with this key; raise Replayed, or 409 while another is at it, or 422."""
        # a transaction's advisory lock: a crash frees it, and there is no lease to run out
        (found,) = await _BEGIN.run(tx, lock=self.lock, key=self.key)
        if not found.held:
            raise in_progress()
        if found.reply is not None:
            self.answer(found)
        return Once(tx, self)

    def kept(self, content: BaseModel, status: int, headers: Mapping[str, str]) -> "Kept":
        """Return the answer to be given, and to be kept with `keep`."""
        return Kept(self, content.model_dump_json().encode(), status, headers)

    @property
    def lock(self) -> int:
        """The number of the advisory lock that stands for this key."""
        return int.from_bytes(self.key.bytes[:8], signed=True)

    def answer(self, kept: Any) -> NoReturn:
        """Raise Replayed, or 422 where the key named other content."""
        if kept.fingerprint != self.fingerprint:
            raise ProblemError(422, "idempotency-key-reused", "This Idempotency-Key was used with other content.")
        raise Replayed(_restore(self.codec.open(kept.reply, f"idempotent_replies:{self.key}")))


class Once:
    """One request under its Idempotency-Key; `reply` ends it."""

    def __init__(self, tx: AsyncSession, key: IdempotencyKey) -> None:
        self._tx = tx
        self._key = key

    async def reply(self, content: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Keep the answer beside its effect, and return it."""
        body = content.model_dump_json().encode()
        return await self.reply_json(body, status, headers)

    async def reply_json(self, body: bytes, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """Do as `reply` does, for a body that is JSON already."""
        kept = Kept(self._key, body, status, headers or {})
        if not await keep(self._tx, [kept]):
            raise in_progress()
        return kept.response()


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is given, and given again."""

    key: IdempotencyKey
    body: bytes
    status: int
    headers: Mapping[str, str]

    def seal(self) -> bytes:
        """Return the stored form."""
        stored = {"status": self.status, "headers": dict(self.headers), "body": self.body.decode()}
        return self.key.codec.seal(orjson.dumps(stored), f"idempotent_replies:{self.key.key}")

    def response(self) -> Response:
        """Return the answer."""
        return Response(self.body, self.status, dict(self.headers), "application/json")


async def keep(tx: AsyncSession, answers: Sequence[Kept]) -> int:
    """Keep the answers beside their effects; return how many, which is less than given where a key was taken."""
    values = {
        "keys": [answer.key.key for answer in answers],
        "fingerprints": [answer.key.fingerprint for answer in answers],
        "replies": [answer.seal() for answer in answers],
    }
    return len(await _KEEP.run(tx, **values))


async def recall_many(connection: AsyncConnection, keys: Sequence[IdempotencyKey]) -> dict[UUID, Any]:
    """Return what is kept under *keys*, for `IdempotencyKey.answer`."""
    return {row.key: row for row in await _FIND_MANY.run(connection, keys=[key.key for key in keys])}


async def begin_many(tx: AsyncSession, keys: Sequence[IdempotencyKey]) -> dict[UUID, Exception]:
    """Go on as the only one with each of *keys*; return those that may not, each with what to answer instead."""
    values = {"locks": [key.lock for key in keys], "keys": [key.key for key in keys]}
    held = {row.key for row in await _LOCK_MANY.run(tx, **values) if row.held}
    refused: dict[UUID, Exception] = {key.key: in_progress() for key in keys if key.key not in held}
    # a second statement: only now is what others committed before they let go sure to be seen
    kept = {row.key: row for row in await _FIND_MANY.run(tx, keys=list(held))}
    for key in keys:
        if key.key in kept:
            try:
                key.answer(kept[key.key])
            except (Replayed, ProblemError) as told:
                refused[key.key] = told
    return refused


def in_progress() -> ProblemError:
    """Return what the twin of a request under way is told."""
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
    return UUID(bytes=hashlib.sha256(f"{subject}|{request.scope['path']}|{key}".encode()).digest()[:16])


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
