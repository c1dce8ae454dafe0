"""The stand-ins for mail, SMS, push and two card processors, as processes."""

import sys

from stack import environment
from stack.home import Home
from stack.program import Check, Program
from stack.resources import CARD_PROCESSOR_2_PORT, CARD_PROCESSOR_PORT

MAILBOX_PORT = 8025


def programs(home: Home, secrets: dict[str, str]) -> list[Program]:
    """Describe the processes, each with the credentials that it demands."""
    return [
        _program(
            home,
            "mailbox",
            {"http": MAILBOX_PORT, "smtp": environment.SMTP_PORT},
            {"MAILBOX_USER": secrets["smtp-user"], "MAILBOX_PASSWORD": secrets["smtp-password"]},
        ),
        _program(home, "sms", {"http": environment.SMS_PORT}, {"SMS_TOKEN": secrets["sms-token"]}),
        _program(home, "push", {"http": environment.PUSH_PORT}, {"PUSH_TOKEN": secrets["push-token"]}),
        _program(
            home,
            "card-processor",
            {"http": CARD_PROCESSOR_PORT},
            {
                "CARD_PROCESSOR_KEY": secrets["card-processor-key"],
                "CARD_PROCESSOR_WEBHOOK_SECRET": secrets["card-processor-webhook-secret"].partition(",")[0],
            },
        ),
        _program(
            home,
            "card-processor-2",
            {"http": CARD_PROCESSOR_2_PORT},
            {
                "CARD_PROCESSOR_2_KEY": secrets["card-processor-2-key"],
                "CARD_PROCESSOR_2_WEBHOOK_SECRET": secrets["card-processor-2-webhook-secret"].partition(",")[0],
            },
        ),
    ]


def _program(home: Home, name: str, fixed_ports: dict[str, int], credentials: dict[str, str]) -> Program:
    ports = {use: home.port(fixed) for use, fixed in fixed_ports.items()}
    data = home.data / name
    data.mkdir(mode=0o700, exist_ok=True)
    options = ["--port", str(ports["http"]), "--data", str(data)]
    if "smtp" in ports:
        options += ["--smtp-port", str(ports["smtp"])]
    return Program(
        name=name,
        kind="stand-in",
        argv=[sys.executable, "-m", f"stack.stand_ins.{name.replace('-', '_')}", *options],
        env=environment.inherited() | credentials,
        ports=ports,
        check=Check(via="http", port=ports["http"], path="/healthz"),
    )
