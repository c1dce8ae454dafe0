from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.stand_ins import StandIn, running

pytestmark = pytest.mark.enable_socket

BEARER = {"Authorization": "Bearer sms-secret"}
EVIL = "<script>alert('x')</script>"


def text_to(sms: StandIn, number: str, body: bytes) -> int:
    return sms.call("POST", "/", body, BEARER | {"X-To-Number": number}).status


def test_what_the_http_binding_sends_is_kept_and_shown(sms: StandIn) -> None:
    assert text_to(sms, "+491", b"Your order is paid") == 201
    (message,) = sms.messages()
    assert message["to"] == ["+491"]
    assert message["text"] == "Your order is paid"
    assert message["subject"] is None
    assert message["html"] is None
    assert message["headers"] == {"x-to-number": "+491"}


def test_a_json_string_is_the_text_it_holds(sms: StandIn) -> None:
    text_to(sms, "+491", b'"two\\nlines"')
    assert sms.messages()[0]["text"] == "two\nlines"


def test_a_text_that_only_looks_like_json_stays_as_it_is(sms: StandIn) -> None:
    text_to(sms, "+491", b'{"not": closed')
    assert sms.messages()[0]["text"] == '{"not": closed'


def test_messages_are_found_by_recipient_newest_last(sms: StandIn) -> None:
    for number, body in (("+491", b"one"), ("+492", b"two"), ("+491", b"three")):
        text_to(sms, number, body)
    assert [message["text"] for message in sms.messages("?to=%2B491")] == ["one", "three"]
    assert sms.messages("?to=%2B499") == []


def test_large_volumes_are_read_page_by_page(sms: StandIn) -> None:
    for number in range(450):
        text_to(sms, "+491", str(number).encode())
    everything = sms.messages()
    assert [message["text"] for message in everything] == [str(number) for number in range(450)]
    assert [message["text"] for message in sms.messages("?limit=2")] == ["448", "449"]
    first = everything[0]["id"]
    assert [message["text"] for message in sms.messages(f"?after={first}&limit=2")] == ["1", "2"]
    assert sms.call("GET", "/messages?limit=1&to=%2B491").json()["total"] == 450


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=-1", "limit=99999999999999999999"])
def test_a_wrong_page_parameter_is_named(sms: StandIn, query: str) -> None:
    refused = sms.call("GET", f"/messages?{query}")
    assert refused.status == 422
    assert refused.json()["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_delete_forgets_and_ids_are_not_used_again(sms: StandIn) -> None:
    text_to(sms, "+491", b"one")
    last = sms.messages()[0]["id"]
    assert sms.call("DELETE", "/messages").status == 204
    assert sms.messages() == []
    text_to(sms, "+491", b"two")
    assert sms.messages()[0]["id"] > last


def test_a_wrong_token_keeps_nothing(sms: StandIn) -> None:
    assert sms.call("POST", "/", b"x", {"X-To-Number": "+491"}).status == 401
    assert sms.call("POST", "/", b"x", {"X-To-Number": "+491", "Authorization": "Bearer no"}).status == 401
    assert sms.messages() == []


def test_the_token_may_come_bare_as_the_http_binding_sends_it(sms: StandIn) -> None:
    assert sms.call("POST", "/", b"x", {"X-To-Number": "+491", "Authorization": "sms-secret"}).status == 201


def test_a_message_to_nobody_is_refused(sms: StandIn) -> None:
    assert sms.call("POST", "/", b"x", BEARER).status == 422


def test_twilios_form_is_kept_and_answered_as_twilio_does(sms: StandIn) -> None:
    form = urlencode({"To": "+491", "From": "+1555", "Body": "Grüße"}).encode()
    basic = {"Authorization": "Basic QUMxOnNtcy1zZWNyZXQ="}  # AC1:sms-secret
    answer = sms.call("POST", "/2010-04-01/Accounts/AC1/Messages.json", form, basic)
    assert answer.status == 201
    assert answer.json()["sid"].startswith("SM")
    assert answer.json()["status"] == "queued"
    (message,) = sms.messages()
    assert (message["from"], message["to"], message["text"]) == ("+1555", ["+491"], "Grüße")
    assert sms.call("POST", "/2010-04-01/Accounts/AC2/Messages.json", form, basic).status == 401
    assert sms.call("POST", "/2010-04-01/Accounts/AC1/Messages.json", b"To=1", basic).json()["code"] == 21602


def test_a_push_has_a_title_and_a_device(push: StandIn) -> None:
    assert push.call("POST", "/", b"On its way", {"X-To": "device-1", "Title": "Order 1"}).status == 201
    assert push.call("POST", "/", {"to": "device-2", "title": "Order 2", "message": "Here"}).status == 201
    assert [(m["to"], m["subject"], m["text"]) for m in push.messages()] == [
        (["device-1"], "Order 1", "On its way"),
        (["device-2"], "Order 2", "Here"),
    ]


def test_the_page_escapes_everything(push: StandIn) -> None:
    push.call("POST", "/", EVIL.encode(), {"X-To": EVIL, "Title": EVIL})
    page = push.call("GET", "/")
    assert page.body.count(b"&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;") == 3
    assert b"<script" not in page.body
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with running("push", tmp_path) as push:
        for number in range(20):
            assert push.call("POST", "/", str(number).encode(), {"X-To": "d"}).status == 201
        push.kill()
        push.start()
        assert [message["text"] for message in push.messages("?to=d")] == [str(number) for number in range(20)]


def test_a_taken_port_is_named_in_one_line(push: StandIn, tmp_path: Path) -> None:
    second = StandIn("push", tmp_path, port=push.port)
    said = second.complaint()
    assert said.count("\n") == 1
    assert str(push.port) in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_hold_data_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = StandIn("push", tmp_path / "file").complaint()
    assert said.count("\n") == 1
    assert str(tmp_path / "file") in said
    assert "Traceback" not in said


def test_a_damaged_database_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "push.db").write_bytes(b"no database" * 100)
    said = StandIn("push", tmp_path).complaint()
    assert "push.db" in said
    assert "Traceback" not in said
