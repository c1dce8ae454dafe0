"""Requests exactly as written: no client library tidies their paths."""

import socket
from dataclasses import dataclass

TIMEOUT_S = 60


@dataclass(frozen=True)
class Reply:
    status: int
    """0 when the connection was closed unanswered."""
    head: str
    body: str

    @property
    def from_an_app(self) -> bool:
        """Tell whether an app answered: sidecars and the guard send no problems."""
        return 200 <= self.status < 300 or "application/problem+json" in self.head.lower()


def send(port: int, path: str, *headers: str, method: str = "GET", body: str = "") -> Reply:
    length = f"Content-Length: {len(body)}"
    lines = [f"{method} {path} HTTP/1.1", "Host: edge", "Connection: close", length, *headers, "", body]
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.makefile("rb").read().decode(errors="replace")
    head, _, body = answer.partition("\r\n\r\n")
    return Reply(int(head.split()[1]) if head else 0, head, body)


def ask(port: int, path: str, *headers: str, method: str = "GET") -> int:
    return send(port, path, *headers, method=method).status
