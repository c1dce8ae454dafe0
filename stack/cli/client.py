"""A client of the edge that shows each call and its answer."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from stack.errors import StackError

ANSWER_S = 15.0
PATIENCE_S = 30.0
SHOWN_CHARACTERS = 1200
FAILED = 400

Json = dict[str, Any]


class Client:
    """Calls services by app-id through one sidecar, as any program could."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._console = Console(soft_wrap=True, highlight=False)

    def heading(self, text: str) -> None:
        """Print what the next calls are about."""
        self._console.print(Text(f"\n{text}", style="bold"))

    def call(
        self,
        method: str,
        app_id: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
        quiet: bool = False,
    ) -> Json:
        """Make one call and print both sides; raise `StackError` for a refusal. *key* is an Idempotency-Key."""
        headers = {"content-type": "application/json"}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        headers |= {"idempotency-key": key} if key else {}
        url = f"/v1.0/invoke/{app_id}/method{path}"
        status, text = self._exchange(method, url, None if body is None else json.dumps(body), headers)
        answer = _parsed(text)
        if not quiet or status >= FAILED:
            self._show(f"{method} http://localhost:{self._port}{url}", body, status, answer)
        if status >= FAILED:
            raise StackError(f"{app_id} answered {status} to {method} {path}: see above, and `sidecart logs {app_id}`")
        return answer if isinstance(answer, dict) else {}

    def wait(self, question: Callable[[], Json | None], what: str) -> Json:
        """Ask until there is an answer; raise `StackError` after half a minute."""
        limit = time.monotonic() + PATIENCE_S
        while (answer := question()) is None:
            if time.monotonic() > limit:
                raise StackError(f"waited {PATIENCE_S:.0f} s in vain for {what}: see `sidecart status`")
            time.sleep(0.1)
        return answer

    def show(self, title: str, value: object) -> None:
        """Print something that was looked at, rather than asked of the edge."""
        self._console.print(Text(f"  {title}: ", style="cyan") + Text(_pretty(value)))

    def _exchange(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_S)
        try:
            connection.request(method, url, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"the edge does not answer on port {self._port} ({error}): `sidecart status`") from error
        finally:
            connection.close()

    def _show(self, line: str, body: object, status: int, answer: object) -> None:
        self._console.print(Text(f"  {line}", style="cyan"))
        if body is not None:
            self._console.print(Text(f"    {_pretty(body)}"))
        style = "red" if status >= FAILED else "green"
        self._console.print(Text(f"    -> {status} ", style=style) + Text(_pretty(answer) if answer else ""))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _pretty(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(_hushed(value), ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " ..."


def _hushed(value: object) -> object:
    """Shorten what grants access: a terminal's scroll-back is no place for it."""
    if isinstance(value, dict):
        secret = {key for key in value if "token" in key or "password" in key}
        return {key: _short(item) if key in secret else _hushed(item) for key, item in value.items()}
    return [_hushed(item) for item in value] if isinstance(value, list) else value


def _short(value: object) -> object:
    return f"{value[:6]}..." if isinstance(value, str) and len(value) > 12 else value  # noqa: PLR2004 - shorter is a name
