"""Every call that anybody might try on a service: the apps' own routes, and the patterns of the access control."""

from collections.abc import Iterable

from tests.support.access import allows
from tests.support.documents import SERVICES, configuration
from tests.support.services import Route, routes

ID = "0198c5b2-7d1e-7c3a-9f55-3a1c2b4d5e6f"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CALLERS = ("edge", "partner", *SERVICES, "stranger")
PUBLIC = frozenset({"edge", "partner"})
# Who reads users' keys, besides everybody outside: the services, which verify tokens with them.
READERS_OF_KEYS = frozenset({"orders", "payments", "notifications"})


def plain(path: str) -> str:
    """Put something in the place of each parameter."""
    return "/".join(ID if part.startswith("{") else part for part in path.split("/"))


def declared_callers(route: Route) -> frozenset[str]:
    """Return who may call a route by what its own code says."""
    kinds = {access.kind for access in route.access}
    if kinds == {"internal"}:
        return frozenset(name for access in route.access for name in access.names)
    if kinds == {"sidecar"}:
        return frozenset()
    return PUBLIC | (READERS_OF_KEYS if route.path.startswith("/.well-known/") else frozenset())


def paths(callee: str) -> list[str]:
    """Return every path of a service: its routes, what each pattern stands for, and what is too deep for it."""
    found = {plain(route.path) for route in routes(callee)}
    for policy in configuration(callee).spec["accessControl"]["policies"]:
        for operation in policy["operations"]:
            path = operation["name"].replace("**", ID)
            found |= {path.removesuffix("/*"), path.replace("*", ID), f"{path.removesuffix('/*')}/{ID}/{ID}"}
    return sorted(found)


def served(callee: str) -> list[tuple[str, str]]:
    """Return verb and path of each of a service's own routes."""
    return sorted({(verb, plain(route.path)) for route in routes(callee) for verb in route.methods & set(VERBS)})


def may(caller: str, callee: str, verb: str, path: str) -> bool:
    return allows(configuration(callee).spec["accessControl"]["policies"], caller, verb, path)


def climbs(start: str, forbidden: str) -> list[str]:
    """Write *forbidden* so that it begins like *start*, which the caller may call."""
    up = "/.." * start.count("/")
    return [f"{start}{up}{forbidden}", start + (up + forbidden).replace("/", "%2F")]


def disguises(start: str, forbidden: str) -> Iterable[str]:
    """Write *forbidden* in every way that has ever passed by somebody's access control."""
    plain_climb, quoted_climb = climbs(start, forbidden)
    yield from (plain_climb, plain_climb.replace("..", "%2e%2e"), plain_climb.replace("..", ".%2E"))
    yield from (quoted_climb, quoted_climb.replace("%", "%25"), quoted_climb.replace("%2F", "%5C"))
    yield from (f"/{forbidden}", f"/.{forbidden}", f"/%2e{forbidden}", f"{forbidden}/", f"{forbidden}//")
    yield from (f"{forbidden}%23x", f"{forbidden}%3Fx", f"{forbidden}%", f"{forbidden}%25", f"{forbidden}%00")
    yield from (f"{forbidden};x", forbidden.upper(), forbidden.replace("i", "%69"), forbidden.replace("/", "%2F"))
