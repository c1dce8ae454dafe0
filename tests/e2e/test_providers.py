"""The one call shape of each channel, put to the real components of daprd; their providers are ours, by TLS."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from apps.notifications.calls import Sender, call_of
from apps.notifications.catalogue import Catalogue
from apps.notifications.domain import Category
from apps.notifications.failures import Failure, failure_of
from apps.notifications.messages import Message
from apps.notifications.sources import Channel
from tests.support.providers import Lone, World, lone_daprd

DATA = {"number": 'A-1 "ü" \u2028', "total": {"amount": 1999, "currency": "EUR"}, "expired_at": "2026-05-01T12:00:00Z"}
PUSH_ID = UUID("01a2036f-27f2-7767-bdbf-419a840c9fb7")


def call(channel: Channel, address: str) -> tuple[object, dict[str, str]]:
    """Return what the service hands its sidecar for a message about an order."""
    message = Message(
        id=PUSH_ID,
        user_id=None,
        channel=channel,
        address=address,
        known=False,
        name="Ann",
        locale="de",
        timezone=None,
        quiet_from=None,
        quiet_to=None,
        declined=False,
        suppressed=False,
        recent=0,
        digest=None,
        lost=False,
        category=Category.ORDERS,
        priority=1,
        template="order-expired",
        campaign_id=None,
        data=DATA,
        sealed=None,
        attempts=1,
        first_tried_at=datetime.now(UTC),
    )
    rendered = Catalogue().render("order-expired", channel.value, "de", None, {"name": "Ann", **DATA})
    made = call_of(message, rendered, address, Sender(), None)
    return made.data, made.metadata


def refusal(dapr: Lone, name: str, channel: Channel, address: str) -> Failure:
    """Have a component refuse a message, and return what the service makes of that."""
    answer, said = dapr.bind(name, *call(channel, address))
    assert answer == 500
    return failure_of(said)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def dapr(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Lone]:
    folder: Path = tmp_path_factory.mktemp("providers")
    with lone_daprd(folder, world) as lone:
        yield lone


@pytest.fixture(autouse=True)
def _fresh(world: World) -> None:
    world.seen.clear()
    world.answer(200, b"{}")


def test_sendgrid_is_asked_for_the_mail_as_it_is(dapr: Lone, world: World) -> None:
    world.answer(202, b"")
    status, said = dapr.bind("sendgrid", *call(Channel.EMAIL, "ann@example.org"))
    assert status < 300, said
    [seen] = world.seen
    mail = seen.json()
    assert (seen.host, seen.path, seen.headers["authorization"]) == (
        "api.sendgrid.com",
        "/v3/mail/send",
        "Bearer SG.key",
    )
    [one] = mail["personalizations"]
    assert one["to"] == [{"email": "ann@example.org"}]
    assert "cc" not in one
    assert one["subject"].startswith('Ihre Bestellung A-1 "ü"')
    assert mail["from"]["email"] == "shop@sidecart.example"
    assert "A-1 &#34;ü&#34;" in mail["content"][0]["value"]


@pytest.mark.parametrize(
    ("status", "failure"),
    [(400, Failure.PERMANENT), (401, Failure.TECHNICAL), (429, Failure.TECHNICAL), (503, Failure.TECHNICAL)],
)
def test_what_sendgrid_refuses_is_told_apart(dapr: Lone, world: World, status: int, failure: Failure) -> None:
    world.answer(status, b'{"errors": [{"message": "why"}]}')
    assert refusal(dapr, "sendgrid", Channel.EMAIL, "ann@example.org") is failure


def test_postmark_is_asked_for_the_mail_as_it_is(dapr: Lone, world: World) -> None:
    world.answer(200, b'{"ErrorCode": 0, "Message": "OK"}')
    status, said = dapr.bind("postmark", *call(Channel.EMAIL, "ann@example.org"))
    assert status < 300, said
    [seen] = world.seen
    mail = seen.json()
    assert (seen.host, seen.path) == ("api.postmarkapp.com", "/email")
    assert seen.headers["x-postmark-server-token"] == "server-token"
    assert (mail["From"], mail["To"]) == ("shop@sidecart.example", "ann@example.org")
    assert "A-1 &#34;ü&#34;" in mail["HtmlBody"]


@pytest.mark.parametrize(
    ("status", "told", "failure"),
    [
        (422, "You tried to send to recipient(s) that have been marked as inactive.", Failure.BOUNCED),
        (422, "Invalid 'To' address: 'x'.", Failure.PERMANENT),
        (401, "Request does not contain a valid Server token.", Failure.TECHNICAL),
        (500, "Internal server error", Failure.TECHNICAL),
    ],
)
def test_what_postmark_refuses_is_told_apart(
    dapr: Lone, world: World, status: int, told: str, failure: Failure
) -> None:
    world.answer(status, f'{{"ErrorCode": 406, "Message": "{told}"}}'.encode())
    assert refusal(dapr, "postmark", Channel.EMAIL, "ann@example.org") is failure


def test_twilio_is_asked_for_the_text_as_it_is(dapr: Lone, world: World) -> None:
    world.answer(201, b'{"sid": "SM1"}')
    status, said = dapr.bind("twilio", *call(Channel.SMS, "+4930123456"))
    assert status < 300, said
    [seen] = world.seen
    form = parse_qs(seen.body.decode())
    assert (seen.host, seen.path) == ("api.twilio.com", "/2010-04-01/Accounts/AC123/Messages.json")
    assert (form["To"], form["From"]) == (["+4930123456"], ["+15005550006"])
    assert form["Body"][0].startswith('Sidecart: Ihre Bestellung A-1 "ü"')


@pytest.mark.parametrize(
    ("status", "failure"), [(400, Failure.PERMANENT), (401, Failure.TECHNICAL), (500, Failure.TECHNICAL)]
)
def test_what_twilio_refuses_is_told_apart(dapr: Lone, world: World, status: int, failure: Failure) -> None:
    world.answer(status, b'{"code": 21211}')
    assert refusal(dapr, "twilio", Channel.SMS, "12") is failure


def aws(code: str) -> bytes:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{code}</Message></Error></ErrorResponse>".encode()


def test_ses_is_asked_for_the_mail_as_it_is(dapr: Lone, world: World) -> None:
    world.answer(
        200, b"<SendEmailResponse><SendEmailResult><MessageId>1</MessageId></SendEmailResult></SendEmailResponse>"
    )
    status, said = dapr.bind("ses", *call(Channel.EMAIL, "ann@example.org"))
    assert status < 300, said
    [seen] = world.seen
    form = {name: values for name, [*values] in parse_qs(seen.body.decode()).items()}
    assert (seen.host, form["Action"]) == ("email.eu-central-1.amazonaws.com", ["SendEmail"])
    assert form["Destination.ToAddresses.member.1"] == ["ann@example.org"]
    assert form["Source"] == ["shop@sidecart.example"]
    assert not [name for name in form if "Cc" in name or "Bcc" in name]
    assert "A-1 &#34;ü&#34;" in form["Message.Body.Html.Data"][0]


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (400, "MessageRejected", Failure.PERMANENT),
        (400, "Throttling", Failure.TECHNICAL),
        (403, "SignatureDoesNotMatch", Failure.TECHNICAL),
    ],
)
@pytest.mark.parametrize(("name", "channel"), [("ses", Channel.EMAIL), ("sns", Channel.SMS)])
def test_what_amazon_refuses_is_told_apart(
    *, dapr: Lone, world: World, name: str, channel: Channel, status: int, code: str, failure: Failure
) -> None:
    world.answer(status, aws("InvalidParameter" if (name, code) == ("sns", "MessageRejected") else code))
    assert refusal(dapr, name, channel, "+4930123456" if name == "sns" else "ann@example.org") is failure


@pytest.mark.parametrize(("name", "channel"), [("ses", Channel.EMAIL), ("sns", Channel.SMS)])
def test_what_amazon_may_have_taken_is_not_sent_again(dapr: Lone, world: World, name: str, channel: Channel) -> None:
    world.answer(500, aws("InternalFailure"))
    answer, said = dapr.bind(name, *call(channel, "+4930123456" if name == "sns" else "ann@example.org"))
    assert (answer, failure_of(said)) == (500, Failure.TECHNICAL)
    assert len(world.seen) == 1


def test_sns_is_asked_for_the_text_as_it_is(dapr: Lone, world: World) -> None:
    world.answer(200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
    status, said = dapr.bind("sns", *call(Channel.SMS, "+4930123456"))
    assert status < 300, said
    [seen] = world.seen
    form = parse_qs(seen.body.decode())
    assert (seen.host, form["PhoneNumber"]) == ("sns.eu-central-1.amazonaws.com", ["+4930123456"])
    assert form["Message"][0].startswith('Sidecart: Ihre Bestellung A-1 "ü"')


def test_apple_is_asked_for_the_push_as_it_is(dapr: Lone, world: World) -> None:
    status, said = dapr.bind("apns", *call(Channel.PUSH, "ab" * 32))
    assert status < 300, said
    [seen] = world.seen
    assert (seen.host, seen.path) == ("api.push.apple.com", f"/3/device/{'ab' * 32}")
    assert seen.headers["authorization"].startswith("bearer ey")
    assert seen.headers["apns-collapse-id"] == seen.headers["apns-id"] == str(PUSH_ID)
    assert seen.json()["aps"]["alert"]["body"].startswith('Sidecart: Ihre Bestellung A-1 "ü"')


@pytest.mark.parametrize(
    ("status", "reason", "failure"),
    [
        (400, "BadDeviceToken", Failure.BOUNCED),
        (410, "Unregistered", Failure.BOUNCED),
        (413, "PayloadTooLarge", Failure.PERMANENT),
        (403, "InvalidProviderToken", Failure.TECHNICAL),
        (503, "ServiceUnavailable", Failure.TECHNICAL),
    ],
)
def test_what_apple_refuses_is_told_apart(dapr: Lone, world: World, status: int, reason: str, failure: Failure) -> None:
    world.answer(status, f'{{"reason": "{reason}"}}'.encode())
    assert refusal(dapr, "apns", Channel.PUSH, "ab" * 32) is failure
