"""docs/access.md is what the code says of who may call what; `python -m tests.contract.test_access_table` writes it."""

from apps.chassis.auth import Access, Role
from apps.users.domain import SCOPES
from tests.support.documents import CHECKOUT
from tests.support.services import NAMES, Route, routes

FILE = CHECKOUT / "docs" / "access.md"
HIDDEN = ("/events/", "/jobs/")
HEAD = """# Who may call what

Made from the code by `python -m tests.contract.test_access_table`; a test fails when it is stale. An administrator
holds every role. A machine client plays the roles that its scopes stand for; where any signed-in person may call, it
needs the service's own scope. Ownership is checked behind this: customers reach their own things only."""
DOORS = {"public": "anybody", "internal": "services", "sidecar": "its own sidecar"}


def may(access: list[Access], role: Role) -> bool:
    token = next((each for each in access if each.kind == "token" and each.names), None)
    return token is None or role in token.names or role is Role.ADMIN


def row(verb: str, route: Route) -> str:
    access = route.access
    if any(each.kind == "token" for each in access):
        marks = ["yes" if may(access, role) else "" for role in Role]
        return f"| `{verb} {route.path}` | {' | '.join(marks)} | |"
    (only,) = {(each.kind, each.names) for each in access}
    who = DOORS[only[0]] if only[0] != "internal" else ", ".join(only[1]) or "the operator"
    return f"| `{verb} {route.path}` | | | | | {who} |"


def table() -> str:
    parts = [HEAD, "## Scopes of each role", "| role | scopes |\n|---|---|"]
    parts[-1] += "".join(f"\n| {role} | {' '.join(SCOPES[role])} |" for role in Role)
    for name in NAMES:
        shown = {
            (route.path, verb): row(verb, route)
            for route in routes(name)
            if not route.path.startswith(HIDDEN)
            for verb in route.methods - {"HEAD", "OPTIONS"}
        }
        lines = [f"| call | {' | '.join(Role)} | others |", "|---|---|---|---|---|---|"]
        parts += [f"## {name}", "\n".join([*lines, *(shown[key] for key in sorted(shown))])]
    return "\n\n".join(parts) + "\n"


def test_the_table_says_what_the_code_does() -> None:
    assert FILE.read_text() == table(), "stale: run python -m tests.contract.test_access_table, and review what changed"


if __name__ == "__main__":
    FILE.write_text(table())
