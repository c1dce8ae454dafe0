import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from stack.stand_ins.mail import parse
from stack.stand_ins.smtp import reply
from tests.support.stand_ins import StandIn, running

pytestmark = pytest.mark.enable_socket


def mail(subject: str = "Your order", to: str = "ada@example.com", html: str = "<p>Paid</p>") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Shop <shop@example.com>", to, subject
    made.set_content(html, subtype="html")
    return made


@contextmanager
def connected(mailbox: StandIn, timeout: float = 10) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP("127.0.0.1", mailbox.smtp_port, local_hostname="localhost", timeout=timeout)
    try:
        client.login("post", "horn")
        yield client
    finally:
        client.close()


def send(mailbox: StandIn, message: EmailMessage, to: list[str] | None = None, timeout: float = 10) -> None:
    with connected(mailbox, timeout) as client:
        client.send_message(message, to_addrs=to)


def test_a_mail_is_shown_as_it_was_written(mailbox: StandIn) -> None:
    send(mailbox, mail(subject="Grüße 🎁", html="<p>Bezahlt: 19,99 €</p>"))
    (shown,) = mailbox.messages()
    assert shown["from"] == "shop@example.com"
    assert shown["to"] == ["ada@example.com"]
    assert shown["subject"] == "Grüße 🎁"
    assert shown["html"].strip() == "<p>Bezahlt: 19,99 €</p>"
    assert shown["text"] is None
    assert shown["headers"]["To"] == "ada@example.com"


def test_both_bodies_of_a_mail_are_shown(mailbox: StandIn) -> None:
    both = mail()
    both.set_content("Paid")
    both.add_alternative("<p>Paid</p>", subtype="html")
    send(mailbox, both)
    (shown,) = mailbox.messages()
    assert (shown["text"].strip(), shown["html"].strip()) == ("Paid", "<p>Paid</p>")


def test_copies_are_found_by_every_recipient_and_blind_ones_are_not_in_the_headers(mailbox: StandIn) -> None:
    made = mail()
    made["Cc"] = "bob@example.com"
    send(mailbox, made, to=["ada@example.com", "bob@example.com", "Eve@Example.com"])
    for reader in ("ada@example.com", "bob@example.com", "eve@example.com"):
        (shown,) = mailbox.messages(f"?to={reader}")
        assert shown["cc"] == ["bob@example.com"]
        assert shown["recipients"] == ["ada@example.com", "bob@example.com", "Eve@Example.com"]
        assert "Bcc" not in shown["headers"]


def test_nothing_is_accepted_without_signing_in(mailbox: StandIn) -> None:
    client = smtplib.SMTP("127.0.0.1", mailbox.smtp_port, local_hostname="localhost")
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.send_message(mail())
    assert refused.value.smtp_code == 530
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("post", "wrong")
    client.close()
    assert mailbox.messages() == []


def test_the_greeting_offers_each_extension_on_a_line_of_its_own(mailbox: StandIn) -> None:
    with connected(mailbox) as client:
        assert {"size", "8bitmime", "smtputf8", "auth"} <= set(client.esmtp_features)
        assert client.noop()[0] == 250


def test_addresses_plain_and_peculiar_are_taken_as_they_are(mailbox: StandIn) -> None:
    peculiar = ["a.b+tag@example.com", '"john doe"@example.com', "o'neil@example.com", "x@[127.0.0.1]"]
    send(mailbox, mail(), to=peculiar)
    assert mailbox.messages()[0]["recipients"] == peculiar
    with connected(mailbox) as client:
        client.ehlo()
        client.mail("shop@example.com", ["SIZE=100"])
        assert [client.docmd("RCPT", f"TO:{wrong}")[0] for wrong in ("", "<a@b@c d>")] == [501, 553]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_both_ways_to_sign_in_work(mailbox: StandIn, mechanism: str) -> None:
    client = smtplib.SMTP("127.0.0.1", mailbox.smtp_port, local_hostname="localhost")
    client.ehlo()
    client.user, client.password = "post", "horn"
    way = client.auth_plain if mechanism == "PLAIN" else client.auth_login
    assert client.auth(mechanism, way)[0] == 235
    client.close()


@pytest.mark.parametrize(("status", "code"), [(503, 451), (500, 451), (429, 450), (404, 554), (550, 550), (452, 452)])
def test_a_status_becomes_an_smtp_reply_and_keeps_nothing(mailbox: StandIn, status: int, code: int) -> None:
    mailbox.faults(status=status, retry_after_s=2)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(mailbox, mail())
    assert refused.value.smtp_code == code
    assert "try again in 2 s" in str(refused.value.smtp_error)
    assert mailbox.messages() == []


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_has_a_reply_that_says_temporary_or_for_good(status: int) -> None:
    code, kind = reply(status, None).split()[:2]
    assert code[0] == kind[0]
    assert code[0] in "45"


def test_delay_holds_the_answer_back(mailbox: StandIn) -> None:
    mailbox.faults(delay_ms=150)
    began = time.monotonic()
    send(mailbox, mail())
    assert time.monotonic() - began >= 0.15


def test_hang_never_answers_and_keeps_nothing(mailbox: StandIn) -> None:
    mailbox.faults(hang=True)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(mailbox, mail(), timeout=0.3)
    assert mailbox.messages() == []


def test_a_dropped_answer_leaves_the_mail_and_closes_the_connection(mailbox: StandIn) -> None:
    mailbox.faults(drop_answer=True)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        send(mailbox, mail())
    assert len(mailbox.messages()) == 1


def test_a_kill_loses_no_mail_that_was_answered(tmp_path: Path) -> None:
    with running("mailbox", tmp_path, MAILBOX_USER="post", MAILBOX_PASSWORD="horn") as mailbox:
        with connected(mailbox) as client:
            for number in range(20):
                client.send_message(mail(subject=str(number)))
        mailbox.kill()
        mailbox.start()
        assert [message["subject"] for message in mailbox.messages()] == [str(number) for number in range(20)]


def test_the_page_shows_a_mail_without_running_it(mailbox: StandIn) -> None:
    send(mailbox, mail(subject="<script>1</script>", html="<img src=x onerror=alert(1)>"))
    page = mailbox.call("GET", "/").body
    assert b"&lt;script&gt;1&lt;/script&gt;" in page
    assert b"&lt;img src=x onerror=alert(1)&gt;" in page
    assert b"<script" not in page
    assert b"<img" not in page


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\r\n", b"no header at all", b"Subject: =?utf-8?b?!!!?=\r\n\r\nx", b"Subject: =?no-such?q?x?=\r\n\r\nx",
        b"Content-Type: text/html; charset=no-such\r\n\r\n\xff", b"To: \xff\xfe\r\nFrom: <>\r\n\r\nx",
        b"Content-Type: multipart/mixed\r\n\r\nbroken",
    ],
)  # fmt: skip
def test_a_broken_mail_is_read_as_well_as_it_can_be(raw: bytes) -> None:
    assert set(parse(raw)) >= {"to", "cc", "subject", "html", "text", "headers"}
