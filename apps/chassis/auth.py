"""Who may call a route: each declares it by a dependency, and one that declares nothing fails a contract test."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, params

from apps.chassis.problems import ProblemError


class Role(StrEnum):
    """What a person is here; nobody but users grants it."""

    CUSTOMER = "customer"
    SUPPORT = "support"
    STAFF = "staff"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever a verified access token speaks for."""

    id: UUID
    roles: frozenset[str]
    scopes: frozenset[str]
    email_verified: bool
    session_id: UUID | None
    client: bool = False
    """Whether it is a machine client, whose rights are its scopes; a person's are the roles."""

    def has(self, *roles: Role) -> bool:
        """Tell whether the caller holds one of *roles*; an administrator holds all."""
        return Role.ADMIN in self.roles or not self.roles.isdisjoint(roles)


@dataclass(frozen=True, slots=True)
class Access:
    """What a route declared: `public`, `token`, `internal` or `sidecar`, with the roles, scope or app-ids it names."""

    kind: str
    names: tuple[str, ...] = ()
    scope: str | None = None


CALLER_APP_ID = "dapr-caller-app-id"
ACCESS = "access"
"""Attribute by which a dependency carries its declaration."""


def _declared(check: Callable[..., Any], access: Access) -> params.Depends:
    setattr(check, ACCESS, access)
    dependency: params.Depends = Depends(check)
    return dependency


async def _anyone(request: Request) -> None:
    request.state.subject = "anyone"


async def _own_sidecar(request: Request) -> None:
    """Let in what the sidecar says by itself; what it passes on for a caller names that caller."""
    if CALLER_APP_ID in request.headers:
        raise ProblemError(403, "caller-not-allowed", "Only this service's own sidecar may call this.")
    request.state.subject = "sidecar"


# All checks are coroutines: FastAPI hands a plain function to a thread, which costs more than the check.
public = _declared(_anyone, Access("public"))
from_sidecar = _declared(_own_sidecar, Access("sidecar"))


def requires(*roles: Role, scope: str | None = None) -> params.Depends:
    """Let in callers with a valid access token that holds one of *roles* (none named: any) and *scope*.

    A machine client plays the roles that its scopes stand for; where a route names neither, it needs the scope of the
    service, which every customer has.
    """

    async def check(request: Request) -> Principal:
        principal: Principal = await request.app.state.chassis.tokens.principal(request.headers.get("authorization"))
        if roles and not principal.has(*roles):
            raise ProblemError(403, "role-required", f"This needs one of the roles: {', '.join(roles)}.")
        needed = scope or (request.app.state.scope if principal.client and not roles else None)
        if needed and needed not in principal.scopes:
            raise ProblemError(403, "scope-required", f"This needs the scope {needed}.")
        request.state.subject = principal.id
        return principal

    return _declared(check, Access("token", tuple(roles), scope))


def internal(*app_ids: str) -> params.Depends:
    """Let in the services named, and nobody at all through a sidecar where none is named.

    The callee's sidecar has checked the caller by mTLS and access control; this holds where that is misconfigured.
    """

    async def check(request: Request) -> None:
        # the sidecar adds the caller's name to whatever a client sent: two names mean that one is forged
        callers: list[str | None] = [*request.headers.getlist(CALLER_APP_ID)] or [None]
        caller = callers[0]
        if len(callers) > 1 or caller not in (app_ids or (None,)):
            raise ProblemError(403, "caller-not-allowed", "This route is not for you.")
        request.state.subject = f"app:{caller}"

    return _declared(check, Access("internal", app_ids))


Caller = Annotated[Principal, requires()]
Support = Annotated[Principal, requires(Role.SUPPORT)]
Staff = Annotated[Principal, requires(Role.STAFF)]
Admin = Annotated[Principal, requires(Role.ADMIN)]
