from collections.abc import Mapping
from typing import Annotated

import typer
from rich.text import Text

from stack import loaded, providers
from stack import profiles as known
from stack import swap as swapping
from stack.cli import tables
from stack.cli.watching import require_running
from stack.home import Home, current_home
from stack.profiles import Variant
from stack.program import load_all
from stack.progress import Progress
from stack.servers import resolver


def swap(
    what: Annotated[list[str], typer.Argument(metavar="PROFILE|ROLE=PRODUCT...", help="For example pubsub=rabbitmq.")],
) -> None:
    """Play roles by other products in the running system; no app is restarted."""
    home = current_home()
    chosen = known.chosen(what)
    require_running(home)
    swapping.swap(home, chosen, Progress())


def profiles() -> None:
    """Show what plays each role, in the sidecars' own words, and what else is to be had here."""
    home = current_home()
    require_running(home)
    in_use = _in_use(home)
    # asked once each: a look at Debian's packages may take a second
    reasons = {name: resolver.unavailable(home, server) for name, server in resolver.SERVERS.items()}
    table = tables.table("role", "in use", "profile", "can be", "")
    for variant in known.variants():
        used = variant.type in in_use.get(variant.role, set())
        said = _availability(home, variant, reasons)
        mark = Text("yes", style="green") if said is None else Text("no", style="red")
        table.add_row(variant.role, "*" if used else "", variant.profile, Text(variant.type), mark + _because(said))
    print(f"profile: {known.name(home)}")
    tables.show(table)


def _because(said: str | None) -> Text:
    return Text(f": {said}" if said else "")


def _in_use(home: Home) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sidecar in loaded.that_tell(load_all(home)):
        for role, product in loaded.types(sidecar).items():
            found.setdefault(role, set()).add(product)
    return found


def _availability(home: Home, variant: Variant, reasons: Mapping[str, str | None]) -> str | None:
    """Say why a product cannot be had here; None when it can."""
    servers = resolver.needed_by(variant.path.read_text())
    said = [f"{server.name}: {why}" for server in servers if (why := reasons[server.name])]
    return "; ".join([*said, *([why] if (why := providers.missing(home, variant)) else [])]) or None
