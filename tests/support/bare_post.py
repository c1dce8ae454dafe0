"""A bare loop of aiosmtplib over sixteen connections: what a mail server and this machine can do with no house around.

`python -m tests.support.bare_post PORT USER COUNT`, the password in SMTP_PASSWORD; prints the mails a second.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP

import aiosmtplib

from apps.notifications.catalogue import Catalogue

CONNECTIONS = 16


def letter() -> bytes:
    """Return a mail as a campaign sends it, without its recipient."""
    link = "http://localhost:3500/v1.0/invoke/notifications/method/unsubscribe?token=" + "x" * 60
    data = {"name": None, "unsubscribe_url": link, "subject": "Spring is here", "text": "Everything new. " * 20}
    rendered = Catalogue().render("announcement", "email", "en", None, data)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["Subject"] = "shop@sidecart.example", rendered.subject
    mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"] = f"<{link}>", "List-Unsubscribe=One-Click"
    mail.set_content(rendered.text)
    mail.add_alternative(rendered.html, subtype="html")
    return mail.as_bytes()


async def send(port: int, user: str, password: str, numbers: Iterator[int], text: bytes) -> None:
    """Send over one connection, one after the other, what is left of *numbers*."""
    server = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, username=user, password=password)
    async with server:
        for number in numbers:
            to = f"bare-{number}@example.org"
            head = f"To: {to}\r\nMessage-ID: <{number}@bare.example>\r\n".encode()
            await server.sendmail("shop@sidecart.example", [to], head + text)


async def main(port: int, user: str, count: int) -> float:
    """Return the mails a second."""
    password, text, numbers = os.environ["SMTP_PASSWORD"], letter(), iter(range(count))
    began = time.monotonic()
    async with asyncio.TaskGroup() as lanes:
        for _ in range(CONNECTIONS):
            lanes.create_task(send(port, user, password, numbers, text))
    return count / (time.monotonic() - began)


if __name__ == "__main__":
    print(f"{asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))):.1f}")
