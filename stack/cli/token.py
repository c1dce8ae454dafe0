from enum import StrEnum
from typing import Annotated

import typer

from stack import operating
from stack.cli.watching import require_running
from stack.home import Home, current_home

DEFAULT_TTL_S = 900


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
    body = {"role": role, "ttl_s": ttl_s} | ({"user_id": user} if user else {})
    answer = operating.ask(home, operating.replicas(home, "users")[0], "/internal/operator-tokens", body)
    return str(answer["access_token"])
