"""One channel's record and its faults, whichever of its providers a message came by."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from stack.stand_ins.faults import FaultBox, answer
from stack.stand_ins.messages import Messages

_HOST: Final = "provider"


@dataclass(frozen=True)
class Channel:
    """What arrived, and what the next request meets."""

    messages: Messages
    faults: FaultBox

    async def take(
        self, request: Request, message: "Taken", accept: Response, refuse: Callable[[int], Response]
    ) -> Response:
        """Keep one message, unless told to fail, and answer as its provider does."""

        def keep() -> Response:
            self.messages.add(message.sender, message.everyone, message.stored(request))
            return accept

        return await answer(request, self.faults.draw(), keep, refuse)


@dataclass(frozen=True)
class Taken:
    """A message as a provider understood it."""

    sender: str
    to: list[str]
    cc: list[str] | None = None
    bcc: list[str] | None = None
    subject: str | None = None
    html: str | None = None
    text: str | None = None
    headers: dict[str, str] | None = None

    @property
    def everyone(self) -> list[str]:
        """Return who gets it."""
        return [*self.to, *(self.cc or []), *(self.bcc or [])]

    def stored(self, request: Request) -> bytes:
        """Return it as it is shown: with the name of the provider that was asked."""
        headers = {_HOST: request.url.hostname or "", **(self.headers or {})}
        shown: dict[str, Any] = {"to": self.to, "cc": self.cc or [], "subject": self.subject, "html": self.html}
        return orjson.dumps(shown | {"text": self.text, "headers": headers})


def same(offered: str, expected: str) -> bool:
    """Compare credentials."""
    return hmac.compare_digest(offered.encode(), expected.encode())
