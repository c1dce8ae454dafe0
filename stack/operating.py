"""Asking a running service for what only its operator may ask, with the app's token and past every sidecar."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from stack import secrets_file, tokens
from stack.errors import StackError
from stack.home import Home
from stack.program import Program, load_all

T = TypeVar("T")

ANSWER_S = 60.0
PATIENCE_S = 90.0
PAUSE_S = 0.5
# A store or a broker that takes things one by one, or confirms each from a busy disk, may need longer for a page than a
# call may take: then it comes again in smaller pieces.
LEAST = 5
SMALLER_AFTER_S = 10.0
DONE = range(200, 300)
# Asked again, it may go better: the service starts, its broker or store is away, its database is busy.
PASSING = range(500, 600)


class BusyError(StackError):
    """The service does not answer, or cannot just now."""


def services(home: Home) -> list[str]:
    """Return every service that runs here, by app-id."""
    return list(dict.fromkeys(program.env["APP_ID"] for program in load_all(home) if program.kind == "app"))


def replicas(home: Home, app_id: str) -> list[Program]:
    """Return each process of one service, or say which services there are."""
    found = [program for program in load_all(home) if program.kind == "app" and program.env["APP_ID"] == app_id]
    if not found:
        raise StackError(f"there is no service {app_id!r}: there are {', '.join(services(home))}")
    return found


def ask(home: Home, replica: Program, path: str, body: object) -> Any:
    """Post to one replica; raise `BusyError` where asking again may help, `StackError` where it refused."""
    text = exchange(home, replica, "POST", path, json.dumps(body))
    return json.loads(text) if text else None


def exchange(
    home: Home, replica: Program, method: str, path: str, body: str | None = None, *, token: str | None = None
) -> str:
    """Send one request, as the bearer of *token* if one is given; errors are those of `ask`."""
    app_id, port = replica.env["APP_ID"], replica.ports["http"]
    headers = {"content-type": "application/json", "dapr-api-token": tokens.for_app(secrets_file.load(home), app_id)}
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        said = f"{replica.name} does not answer on port {port} ({error}): see `sidecart logs {replica.name}`"
        raise BusyError(said) from error
    finally:
        connection.close()
    if answer.status in DONE:
        return text
    kind = BusyError if answer.status in PASSING else StackError
    raise kind(f"{replica.name} refused {method} {path.partition('?')[0]} with {answer.status}: {_detail(text)}")


def ask_any(home: Home, app_id: str, path: str, body: object, *, patience_s: float = PATIENCE_S) -> Any:
    """Post to whichever replica can, and wait a while where none can: one that crashed is being started again."""
    return any_of(home, app_id, lambda replica: ask(home, replica, path, body), patience_s)


def ask_page(home: Home, app_id: str, path: str, page: dict[str, Any]) -> Any:
    """Post a page as `ask_any` does, a smaller one where it is not done in time; its `limit` says how large it was."""
    while page["limit"] > LEAST:
        try:
            return ask_any(home, app_id, path, page, patience_s=SMALLER_AFTER_S)
        except BusyError:
            page["limit"] = max(LEAST, page["limit"] // 4)
    return ask_any(home, app_id, path, page)


def any_of(home: Home, app_id: str, question: Callable[[Program], T], patience_s: float = PATIENCE_S) -> T:
    """Return what the first replica answers that can."""
    limit = time.monotonic() + patience_s
    while True:
        last = BusyError(f"{app_id} has no replica: see `sidecart status`")
        for replica in replicas(home, app_id):
            try:
                return question(replica)
            except BusyError as error:
                last = error
        if time.monotonic() > limit:
            raise last
        time.sleep(PAUSE_S)


def _detail(text: str) -> str:
    try:
        problem = json.loads(text)
    except ValueError:
        return text.strip()[:200] or "no reason given"
    return str(problem.get("detail") or problem.get("title") or problem)[:300]
