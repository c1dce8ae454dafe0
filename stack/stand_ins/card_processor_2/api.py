import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.card_processor_2.book import Book, Json
from stack.stand_ins.card_processor_2.events import Events
from stack.stand_ins.database import transaction
from stack.stand_ins.faults import NONE, FaultBox, Faults, answer

_KEY: Final = "cko-idempotency-key"


class Refused(Exception):  # noqa: N818 - read as `raise Refused(...)`
    """An answer in the shape of a Checkout.com error; without codes it has no body, as theirs."""

    def __init__(self, status: int, *codes: str) -> None:
        super().__init__(", ".join(codes))
        self.status = status
        self.codes = codes


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API, inside its transaction."""

    book: Book
    events: Events
    body: Json
    path: Mapping[str, str]
    query: Mapping[str, str]
    origin: str
    hit: Faults = NONE

    def payment(self) -> Json:
        """Return the payment that the path names, or refuse."""
        found = self.book.find(self.path["id"])
        if found is None:
            raise Refused(404)
        return found


Handler = Callable[[Call], tuple[int, Any]]


@dataclass(frozen=True, slots=True)
class Api:
    """Turns handlers into routes: key checked, faults drawn, one transaction each, idempotent where asked."""

    book: Book
    events: Events
    faults: FaultBox
    key: str
    origin: str

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """Return the route of one handler."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            if not self._admits(request):
                return _reply(401, b"")
            hit = self.faults.draw()
            return await answer(request, hit, lambda: self._act(request, body, handler, hit), told_to_fail)

        return Route(path, endpoint, methods=[method])

    def call(self, request: Request, body: Json, hit: Faults) -> Call:
        """Return what a handler needs to know of a request."""
        return Call(self.book, self.events, body, request.path_params, request.query_params, self.origin, hit)

    def _act(self, request: Request, body: bytes, handler: Handler, hit: Faults) -> Response:
        key, path = request.headers.get(_KEY) if request.method == "POST" else None, request.url.path
        if key is not None and (stored := self._replay(key, path)) is not None:
            return stored
        try:
            call = self.call(request, _document(body), hit)
            with transaction(self.book.db):
                status, said = handler(call)
                content = orjson.dumps(said)
                if key is not None:
                    self.book.db.execute("INSERT INTO replies VALUES (?, ?, ?, ?)", (key, path, status, content))
        except Refused as refused:
            # what was refused is not remembered: the same key may carry the corrected request
            return _refusal(refused)
        return _reply(status, content)

    def _replay(self, key: str, path: str) -> Response | None:
        query = "SELECT status, body FROM replies WHERE key = ? AND path = ?"
        row = self.book.db.execute(query, (key, path)).fetchone()
        return _reply(row[0], row[1]) if row else None

    def _admits(self, request: Request) -> bool:
        offered = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        return not self.key or hmac.compare_digest(offered, self.key.encode())


def _document(body: bytes) -> Json:
    if not body:
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refused(422, "request_body_malformed")
    return found


def told_to_fail(status: int) -> Response:
    """Answer a request that a fault hit."""
    return _refusal(Refused(status))


def _refusal(refused: Refused) -> Response:
    if not refused.codes:
        return _reply(refused.status, b"")
    told = {"request_id": secrets.token_hex(16), "error_type": "request_invalid", "error_codes": list(refused.codes)}
    return _reply(refused.status, orjson.dumps(told))


def _reply(status: int, body: bytes) -> Response:
    return Response(body, status, {"Cko-Request-Id": secrets.token_hex(16)}, "application/json")
