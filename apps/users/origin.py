"""From where a request came, as far as that can be known behind an edge and two sidecars."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

_FORWARDED = "x-forwarded-for"
_LONGEST_AGENT = 200
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: for the audit trail, for the list of sessions, and for throttles."""

    address: str
    agent: str | None = None


def address_of(forwarded: list[str]) -> str:
    """Return the client's address out of X-Forwarded-For.

    Each sidecar that passes a request on adds its own address last. The one before is what the edge put in the place
    of whatever the client said of itself; further ones are hearsay. See docs/identity.md for what may be forged.
    """
    named = [name.strip() for line in forwarded for name in line.split(",")]
    said = named[-2] if len(named) > 1 else named[-1] if named else ""
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        return UNKNOWN


async def _origin(request: Request) -> Origin:
    agent = request.headers.get("user-agent")
    return Origin(address_of(request.headers.getlist(_FORWARDED)), agent[:_LONGEST_AGENT] if agent else None)


From = Annotated[Origin, Depends(_origin)]
