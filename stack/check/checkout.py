"""The checkout's own files: one set for each profile."""

from pathlib import Path

from stack import environment, resources, secrets_file, topology
from stack.check.document import Document, read
from stack.check.finding import Finding
from stack.check.inspection import inspect
from stack.check.world import Known
from stack.errors import StackError
from stack.home import CHECKOUT, Home

DEFAULT = "embedded"
SHARED = ("dapr/subscriptions", "resiliency", "dapr/config")


def findings(checkout: Path = CHECKOUT) -> list[Finding]:
    """Return all that is wrong with the checkout's files, whichever profile is chosen."""
    found: set[Finding] = set()
    for profile in profiles(checkout):
        found |= set(inspect(files(profile, checkout), known(), is_ours=True))
        found |= set(_placeholders(files(profile, checkout)))
    return sorted(found | set(_differing(checkout)))


def profiles(checkout: Path = CHECKOUT) -> list[str]:
    """Return the names of the profiles, the default first."""
    names = {path.parent.name for path in (checkout / "components").glob("*/*.yaml")}
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def files(profile: str = DEFAULT, checkout: Path = CHECKOUT) -> dict[Path, str]:
    """Return the files that sidecars would read under *profile*, as they are in the checkout."""
    folders = [checkout / folder for folder in (f"components/{profile}", *SHARED)]
    return {path: path.read_text() for folder in folders for path in sorted(folder.glob("*.yaml"))}


def known() -> Known:
    """Return what the stack offers to any system's files."""
    told = environment.common(Home(root=Path("/"), offset=0))
    return Known(
        app_ids=frozenset(app.app_id for app in topology.load().apps),
        secrets=frozenset(secrets_file.SHAPES),
        environment=frozenset(name for name in told if name.startswith("SIDECART_")),
    )


def _placeholders(texts: dict[Path, str]) -> list[Finding]:
    found: list[Finding] = []
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            try:
                resources.fill_in(Home(root=Path("/"), offset=0), line, "it")
            except StackError as error:
                what, _, known_ones = str(error).removeprefix("it: ").partition(": ")
                found.append(Finding(path, number, what, known_ones))
    return found


def _differing(checkout: Path) -> list[Finding]:
    """Profiles offer the same names to the same app-ids, or a swap would take something away."""
    offered = {profile: _offered(checkout / "components" / profile) for profile in profiles(checkout)}
    found: list[Finding] = []
    for role in sorted({role for roles in offered.values() for role in roles}):
        holder, pattern = next((profile, roles[role]) for profile, roles in offered.items() if role in roles)
        for profile, roles in offered.items():
            if role not in roles:
                path = checkout / "components" / profile / pattern.path.name
                found.append(Finding(path, 1, f"not there, and {holder} offers {role}", "add it"))
            elif set(roles[role].scopes) != set(pattern.scopes):
                said = f"{role} is for {', '.join(roles[role].scopes)}, in {holder} for {', '.join(pattern.scopes)}"
                found.append(roles[role].finding(("scopes",), said, "give both the same scopes"))
    return found


def _offered(folder: Path) -> dict[str, Document]:
    read_ones = [read(path, path.read_text()) for path in sorted(folder.glob("*.yaml"))]
    return {it.name: it for it in read_ones if isinstance(it, Document)}
