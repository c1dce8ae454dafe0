import http.client
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from stack.stand_ins.faults import NONE, FaultBox, parse
from stack.stand_ins.problems import Invalid
from tests.support.stand_ins import StandIn, running

pytestmark = pytest.mark.enable_socket

EVERY_FAULT = {
    "share": 0.5,
    "status": 503,
    "retry_after_s": 2,
    "delay_ms": 5,
    "hang": True,
    "drop_answer": True,
    "duplicate_webhooks": True,
    "reorder_webhooks": True,
    "tamper_amount": True,
}
AUTHORISED = {"Authorization": "Bearer sms-secret", "X-To-Number": "+491"}


def send(sms: StandIn, timeout: float = 0) -> Any:
    return sms.call("POST", "/", b"hello", AUTHORISED, timeout)


def test_every_fault_of_the_api_can_be_set_and_read_back(sms: StandIn) -> None:
    sms.faults(**EVERY_FAULT)
    assert sms.call("GET", "/faults").json() == EVERY_FAULT
    assert sms.call("DELETE", "/faults").status == 204
    assert sms.call("GET", "/faults").json() == {}


def test_of_several_faults_one_at_most_hits_each_request() -> None:
    box = FaultBox()
    box.set([{"share": 0.25, "status": 503}, {"share": 0.5, "hang": True}])
    drawn = [box.draw() for _ in range(2000)]
    shares = [sum(each.status == 503 for each in drawn) / 2000, sum(each.hang for each in drawn) / 2000]
    assert [round(each * 4) for each in shares] == [1, 2]
    assert not any(each.hang and each.status for each in drawn)
    assert NONE in drawn


def test_a_list_of_faults_is_checked_item_by_item_and_read_back(sms: StandIn) -> None:
    several = [{"share": 0.1, "status": 503}, {"share": 0.2, "delay_ms": 1}]
    assert sms.call("PUT", "/faults", several).json() == several
    assert sms.call("GET", "/faults").json() == several
    assert sms.call("PUT", "/faults", [{"share": 0.1}, 3]).status == 422
    sms.call("DELETE", "/faults")


def test_put_replaces_what_was_set_before(sms: StandIn) -> None:
    sms.faults(status=503)
    sms.faults(delay_ms=1)
    assert sms.call("GET", "/faults").json() == {"delay_ms": 1}
    assert send(sms).status == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("share", 1.1), ("share", True), ("share", "1"), ("status", 200), ("status", 503.5), ("status", True),
        ("retry_after_s", -1), ("delay_ms", None), ("hang", 1), ("drop_answer", "yes"), ("tamper_amount", None),
        ("no_such_fault", True),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_set(sms: StandIn, field: str, value: object) -> None:
    refused = sms.call("PUT", "/faults", {"delay_ms": 1, field: value})
    assert refused.status == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"/{field}"]
    assert sms.call("GET", "/faults").json() == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse(body)


def test_share_is_how_often_a_request_is_hit() -> None:
    box = FaultBox()
    box.set({"share": 0.25, "status": 500})
    hits = sum(box.draw() is not NONE for _ in range(4000))
    assert 800 < hits < 1200


@pytest.mark.parametrize(("share", "hit"), [(0, False), (1, True)])
def test_share_zero_never_hits_and_one_always_does(share: float, hit: bool) -> None:
    box = FaultBox()
    box.set({"share": share, "status": 500})
    assert all((box.draw() is not NONE) is hit for _ in range(200))


def test_status_refuses_and_keeps_nothing(sms: StandIn) -> None:
    sms.faults(status=503, retry_after_s=2)
    refused = send(sms)
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert sms.messages() == []


def test_a_status_without_a_name_of_its_own_is_answered_all_the_same(sms: StandIn) -> None:
    sms.faults(status=599)
    assert send(sms).status == 599


def test_delay_comes_before_the_answer(sms: StandIn) -> None:
    sms.faults(delay_ms=150)
    began = time.monotonic()
    assert send(sms).status == 201
    assert time.monotonic() - began >= 0.15


def test_hang_never_answers_and_keeps_nothing(sms: StandIn) -> None:
    sms.faults(hang=True)
    with pytest.raises(TimeoutError):
        send(sms, timeout=0.3)
    assert sms.messages() == []


def test_a_dropped_answer_leaves_the_effect_and_no_answer(sms: StandIn) -> None:
    sms.faults(drop_answer=True)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        send(sms)
    assert [message["text"] for message in sms.messages()] == ["hello"]


def test_drop_answer_with_hang_is_an_effect_followed_by_silence(sms: StandIn) -> None:
    sms.faults(drop_answer=True, hang=True)
    with pytest.raises(TimeoutError):
        send(sms, timeout=0.3)
    assert len(sms.messages()) == 1


def test_faults_never_hit_what_the_tester_looks_at(sms: StandIn) -> None:
    sms.faults(status=500, hang=True)
    assert [sms.call("GET", path).status for path in ("/", "/healthz", "/faults", "/messages")] == [200] * 4


def test_a_request_that_hangs_does_not_keep_the_stand_in_from_stopping(tmp_path: Path) -> None:
    with running("push", tmp_path) as push, socket.create_connection(("127.0.0.1", push.port)) as client:
        push.faults(hang=True)
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-To: d\r\nContent-Length: 2\r\n\r\nhi")
        assert push.process is not None
        push.process.terminate()
        push.process.wait(timeout=30)
