"""The checkout's own files: one set for each profile, and one for each guest under examples/."""

from dataclasses import replace
from pathlib import Path

from stack import environment, resources, secrets_file, topology
from stack.check.document import Document, read
from stack.check.finding import Finding, instead_of
from stack.check.inspection import inspect, replaced
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
    for run_file in sorted(checkout.glob("examples/*/dapr.yaml")):
        found |= set(guests(run_file))
    return sorted(found | set(_differing(checkout)))


def profiles(checkout: Path = CHECKOUT) -> list[str]:
    """Return the names of the profiles, the default first."""
    names = {path.parent.name for path in (checkout / "components").glob("*/*.yaml")}
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def files(profile: str = DEFAULT, checkout: Path = CHECKOUT) -> dict[Path, str]:
    """Return the files that sidecars would read under *profile*: what it does not bring is the default's."""
    general = _texts(*(checkout / folder for folder in (f"components/{DEFAULT}", *SHARED)))
    return replaced(general, {} if profile == DEFAULT else _texts(checkout / "components" / profile))


def guests(run_file: Path) -> list[Finding]:
    """Return what is wrong with the files of app-ids that join by a run file of their own."""
    apps = topology.load(run_file).apps
    folders = [run_file.parent / folder for app in apps for folder in app.resources_paths or []]
    told = _texts(*(folder.resolve() for folder in folders))
    for path in [(run_file.parent / app.config_file_path).resolve() for app in apps if app.config_file_path]:
        told[path] = path.read_text()
    general = known()
    return inspect(told, replace(general, app_ids=general.app_ids | {app.app_id for app in apps}), is_ours=True)


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
    """Hold profiles to the default's names, kinds of component and app-ids, or a swap would take something away."""
    offered = {profile: _offered(checkout / "components" / profile) for profile in profiles(checkout)}
    default = offered.pop(DEFAULT, {})
    found: list[Finding] = []
    for roles in offered.values():
        for name, role in roles.items():
            pattern = default.get(name)
            if pattern is None:
                remedy = instead_of(name, default)
                found.append(
                    role.finding(("metadata", "name"), f"{DEFAULT} has no {name} to put this in place of", remedy)
                )
                continue
            if _kind(role) != _kind(pattern):
                said = f"{name} is of kind {_kind(role)}, in {DEFAULT} of kind {_kind(pattern)}"
                found.append(role.finding(("spec", "type"), said, "name a type of that kind"))
            if set(role.scopes) != set(pattern.scopes):
                said = f"{name} is for {', '.join(role.scopes)}, in {DEFAULT} for {', '.join(pattern.scopes)}"
                found.append(role.finding(("scopes",), said, "give both the same scopes"))
    return found


def _kind(role: Document) -> str:
    spec = role.body.get("spec")
    return str(spec.get("type") if isinstance(spec, dict) else None).partition(".")[0]


def _offered(folder: Path) -> dict[str, Document]:
    read_ones = [read(path, text) for path, text in _texts(folder).items()]
    return {it.name: it for it in read_ones if isinstance(it, Document)}


def _texts(*folders: Path) -> dict[Path, str]:
    return {path: path.read_text() for folder in folders for path in sorted(folder.glob("*.yaml"))}
