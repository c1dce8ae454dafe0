"""What sends: one task for each mail component, and a few that find out where people can be reached."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.chassis.telemetry import log
from apps.contracts.users import Contact
from apps.notifications import store
from apps.notifications.domain import Category, Failure, Outcome, State, failure_of, is_usable, outcome_of
from apps.notifications.post_room import PostRoom
from apps.notifications.rendering import Mail, RenderingError, UnknownTemplateError, render
from apps.notifications.store import Message

_URGENCY: Final = {Category.SECURITY: "1", Category.ORDERS: "3", Category.MARKETING: "5"}
_FIRST_REST_S = 0.25
_LONGEST_REST_S = 5.0

AskContact = Callable[[UUID], Awaitable[Contact | None]]


class Binding(Protocol):
    """An output binding of the sidecar."""

    async def bind(self, name: str, operation: str, data: str, metadata: dict[str, str]) -> bytes:
        """Call it; raise SidecarError with the component's report when it fails."""
        ...


def failed(message: Message, failure: Failure, reason: str) -> Outcome:
    """Return what follows from a failure now."""
    return outcome_of(
        message.id,
        failure,
        reason,
        attempts=message.attempts,
        created_at=message.created_at,
        now=datetime.now(UTC),
        chance=random.random(),  # noqa: S311  # jitter
    )


def unforeseen(message: Message, error: Exception) -> Outcome:
    """Return what follows from an error that nobody expected; what it says may quote the message, so that stays out."""
    return failed(message, Failure.TECHNICAL, f"unexpected {type(error).__name__}")


# Waiting for each outcome by itself cost a third of the mails a second; a crash repeats this many and the one in hand.
_AHEAD = 3


class Lane:
    """Sends through one mail component, one mail at a time, and never far ahead of what is written down.

    Outcomes are written together; a process that is killed repeats the mails whose outcomes were not, four at most.

    The component copies each request into a struct that all requests share before it addresses the mail, so two at
    once can swap recipients. Hence a call is never given up here: a limit on it is the sidecar's policy. After that
    limit has struck, the old conversation goes on inside the sidecar, possibly for ever; it has made its own copy of
    the message before it dialled, so that the next mail cannot change it, and the lane may go on after its rest.
    """

    def __init__(self, component: str, room: PostRoom, binding: Binding, mail_from: str) -> None:
        self._component = component
        self._room = room
        self._binding = binding
        self._mail_from = mail_from
        self._rest_s = 0.0
        self._unwritten: deque[asyncio.Future[None]] = deque()

    async def send_next(self) -> None:
        """Send one message and see its outcome written; when told to stop meanwhile, stop after that."""
        message = await self._room.next()
        sending = asyncio.ensure_future(self._send(message))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await sending
            raise
        await asyncio.sleep(self._rest_s)

    async def _send(self, message: Message) -> None:
        try:
            told = {"name": message.name} | self._room.contents(message)
            mail = render(message.template, message.locale, message.timezone, told)
            outcome = await self._post(message, mail)
        except (RenderingError, UnknownTemplateError) as error:
            outcome = failed(message, Failure.PERMANENT, str(error))
        except Exception as error:  # noqa: BLE001  # a message without an outcome would be kept from everybody for ever
            self._rest(Failure.TECHNICAL)
            outcome = unforeseen(message, error)
        if outcome.state is not State.DELIVERED:
            log.warning("message_not_sent", message_id=str(message.id), state=outcome.state, reason=outcome.reason)
        if len(self._unwritten) == _AHEAD:
            await self._unwritten.popleft()
        self._unwritten.append(asyncio.ensure_future(self._room.settle(outcome)))

    async def _post(self, message: Message, mail: Mail) -> Outcome:
        address = message.email or ""
        if not is_usable(address):
            return failed(message, Failure.PERMANENT, "the address cannot be written to")
        # All fields, always, also the empty ones: what one request leaves out would be taken from another.
        metadata = {
            "emailTo": address,
            "emailFrom": self._mail_from,
            "emailCC": "",
            "emailBCC": "",
            "subject": mail.subject,
            "priority": _URGENCY[message.category],
        }
        try:
            await self._binding.bind(self._component, "create", mail.html, metadata)
        except SidecarError as error:
            failure = failure_of(str(error))
            self._rest(failure)
            return failed(message, failure, str(error))
        self._rest_s = 0.0
        return Outcome(message.id, State.DELIVERED)

    def _rest(self, failure: Failure) -> None:
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
                await store.keep_contacts(tx, [contact])
        finally:
            self._room.ready(store.addressed(message, contact))
