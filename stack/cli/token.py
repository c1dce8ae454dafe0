import http.client
import json
from enum import StrEnum
from typing import Annotated

import typer

from stack import secrets_file, tokens
from stack.cli.watching import require_running
from stack.errors import StackError
from stack.home import Home, current_home
from stack.program import load_all

DEFAULT_TTL_S = 900
CREATED = range(200, 300)


class Role(StrEnum):
    """Whom the token speaks for."""

    ADMIN = "admin"
    STAFF = "staff"
    SUPPORT = "support"
    CUSTOMER = "customer"


def token(
    role: Annotated[Role, typer.Option(help="What its bearer may do.")],
    user: Annotated[str | None, typer.Option(help="The user's id; one is made up when left out.")] = None,
    ttl: Annotated[int, typer.Option(min=1, help="Seconds until it expires.")] = DEFAULT_TTL_S,
) -> None:
    """Print an access token, and nothing else."""
    home = current_home()
    require_running(home)
    print(mint(home, role.value, user, ttl))


def mint(home: Home, role: str, user: str | None = None, ttl_s: int = DEFAULT_TTL_S) -> str:
    """Ask the users service for a token; only the operator, who can read the secrets, knows how."""
    ports = [program.ports["http"] for program in load_all(home) if program.name == "users"]
    if not ports:
        raise StackError("there is no process `users`, which makes tokens: see `sidecart status`")
    body = {"role": role, "ttl_s": ttl_s} | ({"user_id": user} if user else {})
    headers = {"content-type": "application/json", "dapr-api-token": tokens.for_app(secrets_file.load(home), "users")}
    connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=10)
    try:
        connection.request("POST", "/internal/operator-tokens", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status not in CREATED:
            raise StackError(f"users refused with {answer.status}: {_detail(text)}")
        return str(json.loads(text)["access_token"])
    except (OSError, http.client.HTTPException) as error:
        raise StackError(f"users does not answer on port {ports[0]} ({error}): see `sidecart logs users`") from error
    except (ValueError, KeyError) as error:
        raise StackError("users answered without an access_token: see `sidecart logs users`") from error
    finally:
        connection.close()


def _detail(text: str) -> str:
    try:
        problem = json.loads(text)
    except ValueError:
        return text.strip()[:200] or "no reason given"
    return str(problem.get("detail") or problem.get("title") or problem)[:300]
