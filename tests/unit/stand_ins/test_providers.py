"""Providers under their own names, as a client of theirs meets them: through the proxy, over TLS."""

import base64
import http.client
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from stack.secrets_file import signing_key
from tests.support.stand_ins import Reply, StandIn, running

DEMANDED = {
    "SENDGRID_API_KEY": "sendgrid",
    "POSTMARK_SERVER_TOKEN": "postmark",
    "SES_ACCESS_KEY": "ses",
    "SES_SECRET_KEY": "ses",
    "SNS_ACCESS_KEY": "sns",
    "SNS_SECRET_KEY": "sns",
    "TWILIO_AUTH_TOKEN": "twilio",
    "APNS_KEY_ID": "key",
    "APNS_TEAM_ID": "team",
    "APNS_PRIVATE_KEY": signing_key(),
}
MAIL = {"From": "shop@example.org", "To": "ann@example.org", "Subject": "Tea", "HtmlBody": "<p>Tea</p>"}
POSTMARK = {"X-Postmark-Server-Token": "postmark"}
TWILIO = f"Basic {base64.b64encode(b'AC1:twilio').decode()}"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running("providers", tmp_path_factory.mktemp("providers"), **DEMANDED) as one:
        yield one


@pytest.fixture(autouse=True)
def _fresh(providers: StandIn) -> None:
    for channel in ("email", "sms", "push"):
        providers.call("DELETE", f"/{channel}/faults")
        providers.call("DELETE", f"/{channel}/messages")


def ask(providers: StandIn, host: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Send one request to a provider, as a client that believes its authority."""
    context = ssl.create_default_context(cafile=providers.data / "authority.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", providers.proxy_port, timeout=10, context=context)
    connection.set_tunnel(host, 443)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def mail(providers: StandIn, **headers: str) -> Reply:
    return ask(providers, "api.postmarkapp.com", "/email", orjson.dumps(MAIL), headers or POSTMARK)


def kept(providers: StandIn, channel: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = providers.call("GET", f"/{channel}/messages").json()["items"]
    return items


def test_what_a_provider_takes_is_shown_under_its_name(providers: StandIn) -> None:
    assert mail(providers).json()["ErrorCode"] == 0
    [seen] = kept(providers, "email")
    assert (seen["to"], seen["subject"], seen["html"]) == (["ann@example.org"], "Tea", "<p>Tea</p>")
    assert seen["headers"] == {"provider": "api.postmarkapp.com"}


@pytest.mark.parametrize("host", ["example.org", "169.254.169.254", "127.0.0.1", "api.stripe.com"])
def test_nobody_else_is_let_out(providers: StandIn, host: str) -> None:
    with pytest.raises(OSError, match="403"):
        ask(providers, host, "/", b"", {})


@pytest.mark.parametrize(
    ("host", "path", "headers", "status"),
    [
        ("api.sendgrid.com", "/v3/mail/send", {"Authorization": "Bearer other"}, 401),
        ("api.postmarkapp.com", "/email", {"X-Postmark-Server-Token": "other"}, 401),
        ("api.twilio.com", "/2010-04-01/Accounts/AC1/Messages.json", {"Authorization": "Basic other"}, 401),
        ("email.eu-central-1.amazonaws.com", "/", {"Authorization": "AWS4-HMAC-SHA256 other"}, 403),
        ("sns.eu-central-1.amazonaws.com", "/", {}, 403),
        # Apple speaks HTTP/2 alone, which this client does not
        ("api.push.apple.com", f"/3/device/{'ab' * 32}", {"Authorization": "bearer other"}, 505),
    ],
)
def test_who_is_not_known_is_refused(
    providers: StandIn, host: str, path: str, headers: Mapping[str, str], status: int
) -> None:
    assert ask(providers, host, path, b"{}", headers).status == status
    assert [kept(providers, channel) for channel in ("email", "sms", "push")] == [[], [], []]


def test_a_fault_is_answered_as_the_provider_would_and_nothing_is_kept(providers: StandIn) -> None:
    providers.call("PUT", "/email/faults", {"status": 503})
    assert mail(providers).status == 503
    assert kept(providers, "email") == []
    # and the other channels go on
    form = {"Authorization": TWILIO, "Content-Type": FORM}
    path = "/2010-04-01/Accounts/AC1/Messages.json"
    assert ask(providers, "api.twilio.com", path, b"To=%2B4930123456&From=1&Body=Hi", form).status == 201
    assert [item["text"] for item in kept(providers, "sms")] == ["Hi"]


def test_an_answer_is_lost_after_the_mail_was_taken(providers: StandIn) -> None:
    providers.call("PUT", "/email/faults", {"drop_answer": True})
    with pytest.raises((OSError, http.client.HTTPException)):
        mail(providers)
    assert len(kept(providers, "email")) == 1
