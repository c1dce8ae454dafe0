import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.problems import Invalid, as_json, problem


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to one request; times in the unit their name ends with."""

    share: float = 1.0
    status: int | None = None
    retry_after_s: float | None = None
    delay_ms: float = 0
    hang: bool = False
    drop_answer: bool = False
    duplicate_webhooks: bool = False
    reorder_webhooks: bool = False
    tamper_amount: bool = False


NONE: Final = Faults()


def _number(value: object, lowest: float, highest: float) -> bool:
    # bool is an int to Python, but `"status": true` is a slip of the pen
    return isinstance(value, int | float) and not isinstance(value, bool) and lowest <= value <= highest


def _share(value: object) -> bool:
    return _number(value, 0, 1)


def _status(value: object) -> bool:
    return isinstance(value, int) and _number(value, 400, 599)


def _duration(value: object) -> bool:
    return _number(value, 0, 86_400_000)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


_RULES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "share": (_share, "a number from 0 to 1: how likely a request is hit"),
    "status": (_status, "a whole number from 400 to 599"),
    "retry_after_s": (_duration, "a number of seconds, 0 or more"),
    "delay_ms": (_duration, "a number of milliseconds, 0 or more"),
    "hang": (_flag, "true or false"),
    "drop_answer": (_flag, "true or false"),
    "duplicate_webhooks": (_flag, "true or false"),
    "reorder_webhooks": (_flag, "true or false"),
    "tamper_amount": (_flag, "true or false"),
}


Fields = dict[str, Any]


def parse(body: bytes) -> Fields | list[Fields]:
    """Return one set of faults, or several of which one at most hits a request; raise `Invalid` for what is wrong."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid({"": f"the body is not JSON: {error}"}) from error
    if isinstance(document, list) and document:
        return [_checked(each) for each in document]
    return _checked(document)


def _checked(document: object) -> Fields:
    if not isinstance(document, dict):
        raise Invalid({"": "the body must be a JSON object of faults, or a list of such"})
    wrong: dict[str, str] = {}
    for name, value in document.items():
        if name not in _RULES:
            wrong[name] = f"unknown; known are {', '.join(_RULES)}"
        elif not _RULES[name][0](value):
            wrong[name] = f"must be {_RULES[name][1]}"
    if wrong:
        raise Invalid(wrong)
    return document


class FaultBox:
    """The faults in force. Kept in memory only: a restarted stand-in is healthy again."""

    def __init__(self) -> None:
        self.fields: Fields | list[Fields] = {}
        self._faults: tuple[Faults, ...] = ()

    def set(self, fields: Fields | list[Fields]) -> None:
        """Replace everything that was set before."""
        self.fields = fields
        several = fields if isinstance(fields, list) else [fields]
        self._faults = tuple(Faults(**each) for each in several if each)

    def draw(self) -> Faults:
        """Decide what happens to the request at hand."""
        dice = random.random() if self._faults else 1.0  # noqa: S311 - dice, not a secret
        for each in self._faults:
            if dice < each.share:
                return each
            dice -= each.share
        return NONE

    def routes(self) -> list[Route]:
        """`GET PUT DELETE /faults`, themselves never hit by a fault."""

        async def read(_: Request) -> Response:
            return as_json(self.fields)

        async def replace(request: Request) -> Response:
            try:
                self.set(parse(await request.body()))
            except Invalid as error:
                return problem(422, "These faults cannot be set", errors=error.fields)
            return as_json(self.fields)

        async def clear(_: Request) -> Response:
            self.set({})
            return Response(status_code=204)

        return [
            Route("/faults", read, methods=["GET"]),
            Route("/faults", replace, methods=["PUT"]),
            Route("/faults", clear, methods=["DELETE"]),
        ]


async def until_gone(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def answer(
    request: Request, hit: Faults, act: Callable[[], Response], refuse: Callable[[int], Response]
) -> Response:
    """Answer with *act*'s effect as far as *hit* lets it happen and be heard of.

    In this order: delay, hang (nothing happens), status (nothing happens), effect, answer dropped; hang together
    with drop_answer is an effect followed by silence. The request's body must have been read.
    """
    if hit is NONE:
        return act()
    await asyncio.sleep(hit.delay_ms / 1000)
    if hit.hang and not hit.drop_answer:
        await until_gone(request)
        return Response(status_code=499)
    if hit.status is not None:
        response = refuse(hit.status)
        if hit.retry_after_s is not None:
            response.headers["Retry-After"] = f"{hit.retry_after_s:g}"
        return response
    response = act()
    if hit.drop_answer:
        if not hit.hang:
            request.scope["close_connection"]()
        await until_gone(request)
    return response
