"""What sends: tasks for each component, and a few that find out where people can be reached."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
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
from apps.notifications.failures import Failure
from apps.notifications.messages import Message, addressed
from apps.notifications.post_room import PostRoom
from apps.notifications.providers import Answer, Providers
from apps.notifications.rendering import RenderingError
from apps.notifications.sources import Channel
from apps.notifications.throttle import Throttle

_FIRST_REST_S = 0.25
_LONGEST_REST_S = 5.0
_MOST_TOGETHER_BYTES: Final = 1 << 20
# Writing mails holds up everybody else in the process.
_BREATH_S: Final = 0.005

AskContact = Callable[[UUID], Awaitable[Contact | None]]


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


class _UnreachableError(Exception):
    def __init__(self) -> None:
        super().__init__("the address cannot be written to")


class Lane:
    """Sends one message at a time, or many of a campaign, and is never far ahead of what is written down.

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
        """Send what is most urgent and see its outcome written; when told to stop meanwhile, stop after that."""
        most = self._throttle.share(self._providers.together)
        messages = await self._room.next(self._channel, most)
        sending = asyncio.ensure_future(self._send(messages))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await sending
            raise
        await self._throttle.turn(len(messages))
        await asyncio.sleep(self._rest_s)

    async def _send(self, messages: Sequence[Message]) -> None:
        if len(messages) > 1:
            outcomes = await self._send_together(messages)
        else:
            outcomes = [await self._send_alone(messages[0])]
        for outcome in outcomes:
            if outcome.state is not State.DELIVERED:
                told = {"message_id": str(outcome.message_id), "state": outcome.state, "reason": outcome.reason}
                log.warning("message_not_sent", **told)
            self._unwritten.append(self._room.note(outcome))
        await self._keep_up(self._ahead if len(messages) == 1 else max(self._ahead, 2 * len(messages)))

    async def _keep_up(self, ahead: int) -> None:
        """Wait until no more than *ahead* outcomes are still to be written."""
        while self._unwritten and (self._unwritten[0].done() or len(self._unwritten) > ahead):
            if not self._unwritten[0].done():
                self._room.press()
            await self._unwritten.popleft()

    async def _send_alone(self, message: Message) -> Outcome:
        try:
            with telemetry.resumed(message.traceparent, f"send by {self._channel}"):
                return await self._post(message, self._call(message))
        except Exception as error:  # noqa: BLE001  # a message without an outcome would be kept from everybody for ever
            return self._unsent(message, error)

    async def _send_together(self, messages: Sequence[Message]) -> list[Outcome]:
        """Send as one what may go so; what the component has not begun, or would make it too much, waits again."""
        outcomes: list[Outcome] = []
        calls: list[tuple[Message, Call]] = []
        size, began = 0, time.monotonic()
        for message in messages:
            if size > _MOST_TOGETHER_BYTES:
                self._room.put_back(message)
                continue
            try:
                call = self._call(message)
            except Exception as error:  # noqa: BLE001  # as above
                outcomes.append(self._unsent(message, error))
                continue
            calls.append((message, call))
            size += call.size
            if time.monotonic() - began > _BREATH_S:
                await asyncio.sleep(0)
                began = time.monotonic()
        try:
            answers = await self._providers.send_together([call for _, call in calls])
        except Exception as error:  # noqa: BLE001  # as above
            return outcomes + [self._unsent(message, error) for message, _ in calls]
        for (message, _), answer in zip(calls, answers, strict=True):
            if answer is None:
                self._room.put_back(message)
            else:
                outcomes.append(self._outcome(message, answer))
        return outcomes

    def _unsent(self, message: Message, error: Exception) -> Outcome:
        if isinstance(error, RenderingError | UnknownTemplateError | _UnreachableError):
            return failed(message, Failure.PERMANENT, str(error))
        self._rest(Failure.TECHNICAL)
        return unforeseen(message, error)

    def _call(self, message: Message) -> Call:
        address = message.address or ""
        if not reaches_one(self._channel, address):
            raise _UnreachableError
        return self._composer.compose(message, address)

    async def _post(self, message: Message, call: Call) -> Outcome:
        answer = await self._providers.send(call)
        if answer[1] in (Failure.TECHNICAL, Failure.TEMPORARY) and self._at_once(message):
            message = replace(message, attempts=2)
            answer = await self._providers.send(call)
        return self._outcome(message, answer)

    def _outcome(self, message: Message, answer: Answer) -> Outcome:
        name, failure, report = answer
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
