"""Who takes what is sent: the components of a channel, and what they answer."""

import time
from collections.abc import Sequence
from typing import Any, Final, Protocol

import orjson

from apps.chassis.sidecar import SidecarError
from apps.notifications.calls import Call
from apps.notifications.failures import Failure, failure_of

_ABSENT_FOR_S: Final = 10.0
_ABSENT: Final = "couldn't find output binding"
_ALONE_FOR_S: Final = 10.0
_NOT_BEGUN: Final = "not begun"

Answer = tuple[str, Failure | None, str]
"""Whose it is, and the failure with the report of it."""


class Binding(Protocol):
    """An output binding of the sidecar; it raises SidecarError with the component's report."""

    async def bind(self, name: str, operation: str, data: Any, metadata: dict[str, str]) -> bytes:
        """Call it."""
        ...

    async def bind_bytes(self, name: str, operation: str, data: bytes) -> bytes:
        """Call it with *data* as it is."""
        ...


class Providers:
    """The components of one channel, the first of them first; a profile need not have the others."""

    def __init__(self, binding: Binding, names: Sequence[str], together: int = 1) -> None:
        self._binding = binding
        self._names = names
        self._together = together
        self._alone_until = 0.0
        self._absent_until: dict[str, float] = {}

    @property
    def together(self) -> int:
        """How many calls the first may be given as one: no more than one where lists are unknown to it, or fail."""
        return 1 if self._alone_until > time.monotonic() else self._together

    async def send(self, call: Call) -> Answer:
        """Hand the call to the first that takes it; return whose answer holds.

        The next is asked only where the one before has surely not taken the message, and nobody else's either.
        """
        return await self._or_others(call, await self._ask(self._names[0], call))

    async def send_together(self, calls: Sequence[Call]) -> list[Answer | None]:
        """Hand over all *calls* as one; None for those of which nothing was sent, which are to be given again.

        What went wrong as a whole is found out one by one: so do the policies of the component see it.
        """
        name = self._names[0]
        try:
            told = _told(await self._binding.bind_bytes(name, "createMany", orjson.dumps(calls)), len(calls))
        except SidecarError as error:
            self._alone_until = time.monotonic() + _ALONE_FOR_S
            lost = failure_of(str(error)) is Failure.UNKNOWN
            return [(name, Failure.UNKNOWN, str(error)) if lost else None for _ in calls]
        if "" not in told and set(told) != {_NOT_BEGUN}:
            self._alone_until = time.monotonic() + _ALONE_FOR_S
        return [
            None if said == _NOT_BEGUN else await self._or_others(call, _answer(name, said))
            for call, said in zip(calls, told, strict=True)
        ]

    async def _or_others(self, call: Call, answer: Answer) -> Answer:
        for other in self._names[1:]:
            if answer[1] is not Failure.TECHNICAL:
                break
            if self._absent_until.get(other, 0.0) > time.monotonic():
                continue
            theirs = await self._ask(other, call)
            if _ABSENT in theirs[2]:
                self._absent_until[other] = time.monotonic() + _ABSENT_FOR_S
            else:
                answer = theirs
        return answer

    async def _ask(self, name: str, call: Call) -> Answer:
        try:
            await self._binding.bind(name, "create", call.data, call.metadata)
        except SidecarError as error:
            return _answer(name, str(error))
        return _answer(name, "")


def _answer(name: str, report: str) -> Answer:
    return name, failure_of(report) if report else None, report


def _told(answer: bytes, count: int) -> list[str]:
    """Read what became of *count* mails; an answer that does not tell is as good as lost."""
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, list) or len(told) != count:
        raise SidecarError("the component gave no answer that can be read")
    return [str(said) for said in told]
