"""The mail provider: accepts by SMTP, shows by HTTP."""

import asyncio
import logging
import os
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from stack.stand_ins import mail, serving, smtp
from stack.stand_ins.database import open_database
from stack.stand_ins.faults import FaultBox
from stack.stand_ins.inbox import create_app
from stack.stand_ins.messages import SCHEMA, Messages


def main() -> None:
    """Run until told to stop. MAILBOX_USER and MAILBOX_PASSWORD, when set, are demanded by AUTH."""
    options = serving.arguments("mailbox", extra_ports=["smtp-port"])
    http = serving.listen("mailbox", options.port)
    post = serving.listen("mailbox", options.smtp_port)
    messages, faults = Messages(open_database(options.data, "mailbox", SCHEMA), mail.parse), FaultBox()
    reception = smtp.Reception(messages, faults)
    account = smtp.Account(os.environ.get("MAILBOX_USER", ""), os.environ.get("MAILBOX_PASSWORD", ""))
    # AUTH without TLS is what a loopback stand-in is for; aiosmtpd would say so at each connection
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")

    @asynccontextmanager
    async def post_office(_: Starlette) -> AsyncGenerator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: smtp.session(reception, account), sock=post)
        try:
            yield
        finally:
            server.close()

    serving.serve("mailbox", create_app("Mailbox", messages, faults, lifespan=post_office), http)


if __name__ == "__main__":
    main()
