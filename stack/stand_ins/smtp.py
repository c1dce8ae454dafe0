import asyncio
import hmac
import re
from dataclasses import dataclass
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from stack.stand_ins.faults import FaultBox
from stack.stand_ins.messages import Messages

_A_DAY_S: Final = 86_400
_REPLIES: Final = frozenset({421, 450, 451, 452, 454, 550, 551, 552, 553, 554})
_TOO_MANY: Final = 429
_PLAIN_ADDRESS: Final = re.compile(r"<([\w.+=-]+@[\w.-]+)>\s*", re.ASCII)
_SERVER_ERROR: Final = 500
_COMMANDS: Final = tuple(name for name in dir(SMTP) if name.startswith(("smtp_", "auth_")))


def reply(status: int, retry_after_s: float | None) -> str:
    """Return the SMTP reply for a fault's status.

    Codes that SMTP itself uses (421, 45x, 55x) go out as they are. Of HTTP's, 429 becomes 450 and 5xx becomes 451,
    both temporary; any other 4xx is the sender's own mistake and becomes 554, for good.
    """
    if status in _REPLIES:
        code = status
    elif status == _TOO_MANY:
        code = 450
    else:
        code = 451 if status >= _SERVER_ERROR else 554
    kind = f"{code // 100}.{'2.1' if code == 450 else '3.0'}"  # noqa: PLR2004 - 450 speaks of the mailbox, RFC 3463
    wait = f"; try again in {retry_after_s:g} s" if retry_after_s is not None else ""
    return f"{code} {kind} Told to fail by PUT /faults{wait}"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may send; an empty user lets everybody."""

    user: str
    password: str

    def admits(self, offered: object) -> bool:
        """Compare in constant time."""
        if not self.user:
            return True
        if not isinstance(offered, LoginPassword):
            return False
        right = hmac.compare_digest(offered.login, self.user.encode())
        return hmac.compare_digest(offered.password, self.password.encode()) and right


@dataclass(frozen=True, slots=True)
class Reception:
    """Keeps each mail before it says 250; the faults apply to the mail, after its last dot."""

    messages: Messages
    faults: FaultBox

    def __dir__(self) -> tuple[str, ...]:
        """Name what the library looks for at each connection."""
        return ("handle_DATA", "handle_EHLO")

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, session: Session, __: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Say as every mail server does that commands may come in one piece, RFC 2920: they are read line by line."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", *responses[-1:]]

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Accept, refuse, delay or leave the sender in the dark."""
        hit = self.faults.draw()
        if hit.delay_ms:
            await asyncio.sleep(hit.delay_ms / 1000)
        if hit.hang and not hit.drop_answer:
            await asyncio.Event().wait()
        if hit.status is not None:
            return f"{reply(hit.status, hit.retry_after_s)}: <{'>, <'.join(envelope.rcpt_tos)}>"
        content: Any = envelope.content
        key = self.messages.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        if hit.drop_answer:
            if not hit.hang and server.transport is not None:
                server.transport.close()
            # this task ends with its connection
            await asyncio.Event().wait()
        return f"250 2.0.0 Kept as {key}"


class Connection(SMTP):
    """One sender's connection, about a quarter cheaper than the library's own.

    An installed runtime's binding brings each mail on a connection of its own: the greeting is part of its price.
    """

    _held = b""

    def __dir__(self) -> tuple[str, ...]:
        """Name what the library looks for at each connection among everything there is."""
        return _COMMANDS

    async def push(self, status: str | bytes) -> None:
        """Send a reply's lines in one piece rather than one packet each."""
        line = status.encode() if isinstance(status, str) else status
        if line[3:4] == b"-":
            self._held += line + b"\r\n"
            return
        whole, self._held = self._held + line, b""
        await super().push(whole)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # the full grammar of addresses is slow, and nearly no address needs it
        plain = _PLAIN_ADDRESS.match(arg)
        return (plain[1], arg[plain.end() :]) if plain else super()._getaddr(arg)


def session(reception: Reception, account: Account) -> SMTP:
    """Return the protocol of one connection."""

    def authenticate(_: SMTP, __: Session, ___: Envelope, ____: str, offered: object) -> AuthResult:
        return AuthResult(success=account.admits(offered), handled=False)

    return Connection(
        reception,
        hostname="mailbox.localhost",
        ident="Sidecart mailbox",
        loop=asyncio.get_running_loop(),
        timeout=_A_DAY_S,
        enable_SMTPUTF8=True,
        auth_required=bool(account.user),
        auth_require_tls=False,
        authenticator=authenticate,
    )
