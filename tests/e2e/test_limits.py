"""How much the public door takes: of requests from one address, and of one body."""

import re
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.documents import components
from tests.support.system import System, wait_for
from tests.support.wire import Reply, ask, send

PATHS = [f"/v1.0/invoke/{name}/method/healthz" for name in ("users", "orders", "payments", "notifications")]
BURST = 30
# So few that a slow machine asks more often, too.
FEW = 2
FORWARDED = "X-Forwarded-For: {}"
NUMBERS = count(1)

Change = Callable[..., None]


@pytest.fixture
def limit(system: System, tmp_path: Path) -> Iterator[Change]:
    """Change fields of the running system's limit as an operator does; at the end it is what it was."""
    original = components()["rate-limit"].path

    def change(**fields: str) -> None:
        text = original.read_text()
        for name, value in fields.items():
            text, found = re.subn(rf'(- name: {name}(?: #.*)?\n      value: )".*"', rf'\g<1>"{value}"', text)
            assert found == 1
        (tmp_path / "rate-limit.yaml").write_text(text)
        system.sidecart("apply", str(tmp_path / "rate-limit.yaml"))

    yield change
    system.sidecart("apply", str(original))
    wait_for(lambda: burst(system, BURST) == {200}, "the limit to be what it was")


def burst(system: System, often: int, sender: str = "") -> set[int]:
    """Ask as fast as one client can, and return what was answered; `{}` in *sender* is another number each time."""
    headers = [[FORWARDED.format(sender.format(next(NUMBERS)))] if sender else [] for _ in range(often)]
    return {ask(system.port(3500), PATHS[number % len(PATHS)], *header) for number, header in enumerate(headers)}


def refusal(system: System, *headers: str) -> Reply | None:
    replies = [send(system.port(3500), PATHS[number % len(PATHS)], *headers) for number in range(BURST)]
    return next((reply for reply in replies if reply.status == 429), None)


def test_one_address_may_ask_so_often_and_no_more(system: System, limit: Change) -> None:
    assert burst(system, BURST) == {200}
    limit(maxRequestsPerSecond=str(FEW))
    reply = wait_for(lambda: refusal(system), "the limit to be met")
    assert "retry-after: 1\r\n" in reply.head.lower() + "\r\n"
    assert "content-type: application/problem+json" in reply.head.lower()
    assert '"type":"/problems/too-many-requests"' in reply.body
    # no path of its own, and no word of the client's, gives it more: each of these would be somebody new
    wait_for(lambda: 429 in burst(system, BURST, "192.0.2.{}"), "one who says to be others to meet the limit")
    wait_for(lambda: ask(system.port(3500), PATHS[0]) == 200 or None, "a second to pass")


def test_a_trusted_proxy_says_whom_to_count(system: System, limit: Change) -> None:
    limit(maxRequestsPerSecond=str(FEW), trustedProxies="127.0.0.0/8")
    wait_for(lambda: refusal(system, FORWARDED.format("192.0.2.1")), "one client to meet the limit")
    # the proxy's own word stands last: what the client wrote before it counts for nothing
    wait_for(lambda: 429 in burst(system, BURST, "198.51.100.{}, 192.0.2.1"), "one client behind others' names")
    assert burst(system, FEW, "192.0.2.1, 192.0.2.2") == {200}
    # neighbours in one IPv6 network are one customer: whoever is new finds that the others have asked
    wait_for(lambda: crowded(system), "a neighbour to find the limit met")
    assert burst(system, FEW, "2001:db8:0:1::1") == {200}


def crowded(system: System) -> bool:
    burst(system, 3 * FEW, "2001:db8::1")
    return burst(system, 1, "2001:db8::1{}") == {429}


@pytest.mark.parametrize("megabytes", [5, 17])
@pytest.mark.parametrize("length", ["declared", "chunked"])
def test_a_body_that_is_too_large_is_refused(megabytes: int, length: str, system: System) -> None:
    assert upload(system.port(3500), megabytes * 1_000_000, chunked=length == "chunked") == 413


def upload(port: int, size: int, *, chunked: bool) -> int:
    """Send a body that large, for as long as somebody takes it, and return the status."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    head = f"POST /v1.0/invoke/orders/method/orders HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n{framing}\r\n\r\n"
    piece = b"x" * 100_000
    framed = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(size // len(piece)):
                connection.sendall(framed)
            connection.sendall(b"0\r\n\r\n" if chunked else b"")
        except OSError:
            pass
        answer = connection.makefile("rb").readline()
    return int(answer.split()[1]) if answer else 0
