import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from stack import auditing
from stack.cli import token
from stack.cli.times import duration, moment
from stack.cli.watching import require_running
from stack.home import current_home
from stack.verdicts import Verdict

_SHOWN = 20


def audit(
    since: Annotated[str, typer.Option(help="Orders placed since then: 30m, 24h or a time.")] = "24h",
    settle: Annotated[
        str, typer.Option(help="What changed within this time may be on its way: it is not judged.")
    ] = "5m",
    order: Annotated[str | None, typer.Option(help="The id of one order: judge it alone.")] = None,
    reconcile: Annotated[bool, typer.Option(help="Have the days compared with the processors' records first.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Hold orders, payments, books and stock against each other; exit with 1 where anything does not fit."""
    home = current_home()
    require_running(home)
    wish = auditing.Wish(moment("--since", since), duration("--settle", settle), order, reconcile)
    look = auditing.Audit(home, wish, lambda role: token.mint(home, role))
    found = look.run()
    if as_json:
        told = [{**asdict(verdict), "holds": verdict.holds} for verdict in found]
        print(json.dumps({"invariants": told, "moving": look.verdicts.moving}))
    else:
        _show(found, look.verdicts.moving)
    if not all(verdict.holds for verdict in found):
        raise typer.Exit(1)


def _show(found: list[Verdict], moving: int) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for verdict in found:
        state, style = (
            ("ok", "green") if verdict.holds else ("FAILED", "red") if verdict.failed else ("not run", "yellow")
        )
        console.print(
            Text(f"{state:<8}", style=style) + Text(f"{verdict.name:<10} {verdict.claim} ({verdict.looked_at:,})")
        )
        for violation in verdict.violations[:_SHOWN]:
            console.print(f"          {violation}")
        if verdict.failed > _SHOWN:
            console.print(f"          and {verdict.failed - _SHOWN:,} more: --json has a thousand of them")
        if verdict.not_run:
            console.print(f"          {verdict.not_run}")
        if verdict.failed:
            console.print(f"          what to do: {verdict.remedy}")
    if moving:
        console.print(f"{moving:,} orders changed a moment ago and were not judged: --settle says how long that is")
