"""What sends: tasks for each component, and a few that find out where people can be reached."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

from apps.chassis import telemetry
from apps.chassis.anonymous import unnamed
from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.chassis.telemetry import log
from apps.contracts.users import Contact
from apps.notifications import contacts
from apps.notifications.calls import Call
from apps.notifications.catalogue import UnknownTemplateError
from apps.notifications.composing import Composer
from apps.notifications.domain import Outcome, State, outcome_of, reaches_one
from apps.notifications.failures import Failure, failure_of
from apps.notifications.messages import Message, addressed
from apps.notifications.post_room import PostRoom
from apps.notifications.rendering import RenderingError
from apps.notifications.sources import Channel
from apps.notifications.throttle import Throttle

_FIRST_REST_S = 0.25
_LONGEST_REST_S = 5.0
_ABSENT_FOR_S = 10.0
_ABSENT: Final = "couldn't find output binding"

AskContact = Callable[[UUID], Awaitable[Contact | None]]


class Binding(Protocol):
    """An output binding of the sidecar."""

    async def bind(self, name: str, operation: str, data: Any, metadata: dict[str, str]) -> bytes:
        """Call it; raise SidecarError with the component's report when it fails."""
        ...


def failed(message: Message, failure: Failure, reason: str) -> Outcome:
    """Return what follows from a failure now."""
    outcome = outcome_of(
        message.id,
        failure,
        reason,
        attempts=message.attempts,
        since=message.first_tried_at,
        now=datetime.now(UTC),
        chance=random.random(),  # noqa: S311  # jitter
    )
    return replace(outcome, bounced=message.address) if failure is Failure.BOUNCED else outcome


def unforeseen(message: Message, error: Exception) -> Outcome:
    """Return what follows from an error that nobody expected; what it says may quote the message, so that stays out."""
    return failed(message, Failure.TECHNICAL, f"unexpected {type(error).__name__}")


class Providers:
    """The components of one channel, the first of them first; a profile need not have the others."""

    def __init__(self, binding: Binding, names: Sequence[str]) -> None:
        self._binding = binding
        self._names = names
        self._absent_until: dict[str, float] = {}

    async def send(self, call: Call) -> tuple[str, Failure | None, str]:
        """Hand the call to the first that takes it; return whose answer holds, and its failure with the report.

        The next is asked only where the one before has surely not taken the message, and nobody else's either.
        """
        name, failure, report = await self._ask(self._names[0], call)
        for other in self._names[1:]:
            if failure is not Failure.TECHNICAL:
                break
            if self._absent_until.get(other, 0.0) > time.monotonic():
                continue
            answer = await self._ask(other, call)
            if _ABSENT in answer[2]:
                self._absent_until[other] = time.monotonic() + _ABSENT_FOR_S
            else:
                name, failure, report = answer
        return name, failure, report

    async def _ask(self, name: str, call: Call) -> tuple[str, Failure | None, str]:
        try:
            await self._binding.bind(name, "create", call.data, call.metadata)
        except SidecarError as error:
            return name, failure_of(str(error)), str(error)
        return name, None, ""


class Lane:
    """Sends one message at a time, and is never far ahead of what is written down.

    Outcomes are written together. A call is never given up here: a limit on it is the sidecar's policy, and the
    outcome of one that its limit cut off is unknown. Upstream's smtp component copies each request into a struct that
    all requests share, so that two at once can swap recipients: there a component has one lane (docs/notifications.md).
    """

    def __init__(
        self,
        channel: Channel,
        providers: Providers,
        room: PostRoom,
        composer: Composer,
        throttle: Throttle,
        *,
        ahead: int,
    ) -> None:
        """Let a crash forget the outcomes of *ahead* messages, and of the one in hand."""
        self._channel = channel
        self._providers = providers
        self._room = room
        self._composer = composer
        self._throttle = throttle
        self._ahead = ahead
        self._rest_s = 0.0
        self._unwritten: deque[asyncio.Future[None]] = deque()

    async def send_next(self) -> None:
        """Send one message and see its outcome written; when told to stop meanwhile, stop after that."""
        message = await self._room.next(self._channel)
        sending = asyncio.ensure_future(self._send(message))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await sending
            raise
        await self._throttle.turn()
        await asyncio.sleep(self._rest_s)

    async def _send(self, message: Message) -> None:
        try:
            with telemetry.resumed(message.traceparent, f"send by {self._channel}"):
                outcome = await self._post(message)
        except (RenderingError, UnknownTemplateError) as error:
            outcome = failed(message, Failure.PERMANENT, str(error))
        except Exception as error:  # noqa: BLE001  # a message without an outcome would be kept from everybody for ever
            self._rest(Failure.TECHNICAL)
            outcome = unforeseen(message, error)
        if outcome.state is not State.DELIVERED:
            log.warning("message_not_sent", message_id=str(message.id), state=outcome.state, reason=outcome.reason)
        while self._unwritten and self._unwritten[0].done():
            self._unwritten.popleft()
        if len(self._unwritten) == self._ahead:
            self._room.press()
            await self._unwritten.popleft()
        self._unwritten.append(self._room.note(outcome))

    async def _post(self, message: Message) -> Outcome:
        address = message.address or ""
        if not reaches_one(self._channel, address):
            return failed(message, Failure.PERMANENT, "the address cannot be written to")
        call = self._composer.compose(message, address)
        name, failure, report = await self._providers.send(call)
        if failure in (Failure.TECHNICAL, Failure.TEMPORARY) and self._at_once(message):
            message = replace(message, attempts=2)
            name, failure, report = await self._providers.send(call)
        self._rest(failure)
        if failure is None:
            return Outcome(message.id, State.DELIVERED, provider=name)
        return replace(failed(message, failure, unnamed(report)), provider=name)

    def _at_once(self, message: Message) -> bool:
        """Tell whether to try again without a pause: most refusals of text messages are a moment's congestion."""
        return self._channel is Channel.SMS and message.attempts == 1

    def _rest(self, failure: Failure | None) -> None:
        """When everything would fail, rest longer each time rather than spend every message's attempts."""
        technical = failure is Failure.TECHNICAL
        self._rest_s = min(max(self._rest_s * 2, _FIRST_REST_S), _LONGEST_REST_S) if technical else 0.0


class Resolver:
    """Asks users how to reach people nobody has told us of yet; the mail of others does not wait for that."""

    def __init__(self, room: PostRoom, database: Database, ask: AskContact) -> None:
        self._room = room
        self._database = database
        self._ask = ask

    async def resolve_next(self) -> None:
        """Find out one contact and put its message in line."""
        message = await self._room.strangers.get()
        try:
            contact = await self._ask(message.user_id) if message.user_id else None
        except SidecarError as error:
            await self._room.settle(failed(message, Failure.TECHNICAL, str(error)))
            return
        except Exception as error:  # noqa: BLE001  # as in the lanes
            await self._room.settle(unforeseen(message, error))
            return
        if contact is None:
            await self._room.settle(failed(message, Failure.PERMANENT, "nobody is known under the recipient's id"))
            return
        try:
            async with self._database.transaction() as tx:
                await contacts.keep(tx, [contact])
        finally:
            self._room.ready(addressed(message, contact))
