"""What happens to every request, as pure ASGI: a BaseHTTPMiddleware costs two thirds of the throughput."""

import hmac
from collections import deque
from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.chassis import problems, seams, telemetry
from apps.chassis.problems import Problem

_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/internal/metrics"})
_EVENTS = "/events/"


class BodyTooLargeError(Exception):
    """More bytes came than this service takes."""


class Shell:
    """Admits only our own sidecar, bounds bodies, joins the caller's trace, and turns what escapes into a problem."""

    def __init__(self, app: ASGIApp, *, token: str, body_limit: int, event_body_limit: int) -> None:
        self._app = app
        self._token = token.encode()
        self._body_limit = body_limit
        self._event_body_limit = event_body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        incoming = headers.get(b"traceparent")
        name = f"{scope['method']} {scope['path']}"
        with telemetry.joined(incoming.decode("latin-1") if incoming else None, name) as span:
            if scope["path"] not in _OPEN_PATHS and not self._admitted(headers):
                problem = Problem(401, "not-our-sidecar")
                detail = "This port answers its own sidecar only; call through the edge."
                await problems.response(problem, detail, scope["path"])(scope, receive, send)
                return
            await self._serve(scope, receive, send, headers)
            if span.is_recording() and (route := getattr(scope.get("route"), "path", None)):
                # one name for all ids
                span.update_name(f"{scope['method']} {route}")

    def _admitted(self, headers: Mapping[bytes, bytes]) -> bool:
        return hmac.compare_digest(headers.get(b"dapr-api-token", b""), self._token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes]) -> None:
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                seams.before("reply")
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                seams.after("reply")

        limit = self._event_body_limit if scope["path"].startswith(_EVENTS) else self._body_limit
        try:
            await self._app(scope, await _within(limit, headers, receive), noting_send)
        except BodyTooLargeError:
            problem = Problem(413, "content-too-large")
            reply = problems.response(problem, f"At most {limit} bytes are taken.", scope["path"])
        except Exception as error:  # noqa: BLE001  # nothing may reach a client but a problem
            reply = await problems.tell_unexpected(Request(scope), error)
        else:
            return
        if not started:
            await reply(scope, receive, send)


async def _within(limit: int, headers: Mapping[bytes, bytes], receive: Receive) -> Receive:
    """Return a source of the body that holds at most *limit* bytes, or raise BodyTooLargeError before the app runs.

    The server holds a sender to the length it declared; a body that declares none is read here first.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit():
        if int(declared) > limit:
            raise BodyTooLargeError
        return receive
    messages: deque[Message] = deque()
    taken, more = 0, True
    while more:
        messages.append(await receive())
        taken += len(messages[-1].get("body", b""))
        more = messages[-1].get("more_body", False)
        if taken > limit:
            raise BodyTooLargeError

    async def replay() -> Message:
        return messages.popleft() if messages else await receive()

    return replay
