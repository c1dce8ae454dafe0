"""Every provider under its own name, and our own pages about what each channel received."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, Route, Router
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from stack.stand_ins import inbox, sms
from stack.stand_ins.database import open_database
from stack.stand_ins.faults import FaultBox
from stack.stand_ins.messages import SCHEMA, Messages
from stack.stand_ins.providers import amazon, apple, mail
from stack.stand_ins.providers.channel import Channel
from stack.stand_ins.providers.proxy import Proxy

TWILIO: Final = "api.twilio.com"
HOSTS: Final = (TWILIO, mail.SENDGRID, mail.POSTMARK, amazon.SES, amazon.SNS, apple.HOST)


def channels(data: Path) -> dict[str, Channel]:
    """Open the records of mails, text messages and push messages."""
    names = ("email", "sms", "push")
    return {name: Channel(Messages(open_database(data, name, SCHEMA), orjson.loads), FaultBox()) for name in names}


def providers(by: Mapping[str, Channel], twilio_token: str) -> Router:
    """Return the providers, told apart by the name that was asked for."""
    texts = by["sms"]
    ways: dict[str, list[Route]] = {
        TWILIO: [sms.twilio(texts.messages, texts.faults, twilio_token)],
        mail.SENDGRID: mail.sendgrid(by["email"]),
        mail.POSTMARK: mail.postmark(by["email"]),
        amazon.SES: amazon.ses(by["email"]),
        amazon.SNS: amazon.sns(texts),
        apple.HOST: apple.routes(by["push"]),
    }
    return Router([Host(host, Router(routes)) for host, routes in ways.items()])


class Closable:
    """An application that can end a connection instead of answering: its proxy cuts it."""

    def __init__(self, app: ASGIApp, proxy: Proxy) -> None:
        self._app, self._proxy = app, proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Offer the connection's end to each request."""
        if scope["type"] == "http":
            port: int = scope["client"][1]
            scope = {**scope, "close_connection": lambda: self._proxy.cut(port)}
        await self._app(scope, receive, send)


def shown(by: Mapping[str, Channel], lifespan: Lifespan[Starlette]) -> Starlette:
    """Return `/email`, `/sms` and `/push`, each as the other stand-ins are: messages, faults, a page."""
    mounts: list[BaseRoute] = [
        Mount(f"/{name}", inbox.create_app(name, channel.messages, channel.faults)) for name, channel in by.items()
    ]
    return Starlette(routes=[*mounts, Route("/healthz", inbox.healthy, methods=["GET"])], lifespan=lifespan)
