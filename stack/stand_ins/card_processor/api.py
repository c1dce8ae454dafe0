import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.card_processor.book import Book, Json
from stack.stand_ins.card_processor.call import Call
from stack.stand_ins.card_processor.errors import Refused
from stack.stand_ins.card_processor.events import Events
from stack.stand_ins.card_processor.forms import Form
from stack.stand_ins.database import transaction
from stack.stand_ins.faults import FaultBox, Faults, answer

_KEY_LENGTH: Final = 255

Handler = Callable[[Call], Json]


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
                message = "Invalid API Key provided" if "authorization" in request.headers else "No API key provided"
                return _refusal(Refused(401, type="invalid_request_error", message=f"{message}."))
            hit = self.faults.draw()
            return await answer(request, hit, lambda: self._act(request, body, handler, hit), told_to_fail)

        return Route(path, endpoint, methods=[method])

    def call(self, request: Request, encoded: bytes, hit: Faults, idempotency_key: str | None = None) -> Call:
        """Return what a handler needs to know of a request."""
        return Call(self.book, self.events, Form(encoded), request.path_params, self.origin, hit, idempotency_key)

    def _act(self, request: Request, body: bytes, handler: Handler, hit: Faults) -> Response:
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        try:
            fingerprint = sha256(b"%b\n%b" % (request.url.path.encode(), body)).digest()
            if key is not None and (stored := self._replay(key, fingerprint)) is not None:
                return stored
            call = self.call(request, body or request.url.query.encode(), hit, key)
            with transaction(self.book.db):
                response = self._run(handler, call)
                if key is not None:
                    self.book.db.execute(
                        "INSERT INTO replies VALUES (?, ?, ?, ?)",
                        (key, fingerprint, response.status_code, bytes(response.body)),
                    )
        except Refused as refused:
            # what did not validate is not remembered: the same key may carry the corrected request
            response = _refusal(refused)
        if key is not None:
            response.headers["Idempotency-Key"] = key
        return response

    def _run(self, handler: Handler, call: Call) -> Response:
        try:
            return _reply(200, orjson.dumps(expand(call, handler(call))))
        except Refused as refused:
            if not refused.kept:
                raise
            return _refusal(refused)

    def _replay(self, key: str, fingerprint: bytes) -> Response | None:
        if len(key) > _KEY_LENGTH:
            raise Refused(400, type="idempotency_error", message="Idempotency keys have up to 255 characters.")
        query = "SELECT fingerprint, status, body FROM replies WHERE key = ?"
        row = self.book.db.execute(query, (key,)).fetchone()
        if row is None:
            return None
        if row[0] != fingerprint:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
            )
            raise Refused(400, type="idempotency_error", message=message)
        response = _reply(row[1], row[2])
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Idempotency-Key"] = key
        return response

    def _admits(self, request: Request) -> bool:
        if not self.key:
            return True
        offered = request.headers.get("authorization", "").encode()
        basic = b"Basic " + base64.b64encode(f"{self.key}:".encode())
        return hmac.compare_digest(offered, f"Bearer {self.key}".encode()) or hmac.compare_digest(offered, basic)


def expand(call: Call, thing: Json) -> Json:
    """Put in whole what `expand` names; only charges and intents can be."""
    for path in call.form.many("expand"):
        inside = thing["data"] if thing["object"] in {"list", "search_result"} else []
        for target in inside if path.startswith("data.") else [thing]:
            name = path.removeprefix("data.").partition(".")[0]
            kind = {"latest_charge": "ch", "charge": "ch", "payment_intent": "pi"}.get(name)
            if kind is not None and isinstance(target.get(name), str):
                target[name] = call.book.get(kind, target[name])
    return thing


def told_to_fail(status: int) -> Response:
    """Answer a request that a fault hit, in the shape Stripe gives that status."""
    limited = status == 429  # noqa: PLR2004 - Too Many Requests
    code, kind = ("rate_limit", "invalid_request_error") if limited else (None, "api_error")
    return _refusal(Refused(status, type=kind, code=code, message="Told to fail by PUT /faults."))


def _refusal(refused: Refused) -> Response:
    return _reply(refused.status, orjson.dumps(refused.body))


def _reply(status: int, body: bytes) -> Response:
    return Response(body, status, {"Request-Id": f"req_{secrets.token_hex(7)}"}, "application/json")
