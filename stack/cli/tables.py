"""Tables for people and for pipes: nothing in them is cut off."""

import sys
from typing import Final

from rich.console import Console
from rich.table import Column, Table

# Wider than any row, so that each is one line for whatever reads it.
ENDLESS: Final = 2_000


def table(first: str, *others: str) -> Table:
    """Return a table whose *first* column stays whole; the *others* go on below where a terminal is narrow."""
    return Table(
        Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others), box=None, pad_edge=False
    )


def show(shown: Table) -> None:
    """Print it: as wide as the terminal, or a line a row where there is none."""
    Console(width=None if sys.stdout.isatty() else ENDLESS, highlight=False).print(shown)
