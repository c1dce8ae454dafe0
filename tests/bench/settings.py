from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """How long and how hard; the defaults stay below three minutes in total."""

    rate: float = 150.0
    """Orders a second in the sustained part, whatever the answers."""
    seconds: float = 20.0
    """Length of the sustained part."""
    processor_ms: float = 0.0
    """How long the card processor takes for each answer in the sustained part."""
    raw_seconds: float = 3.0
    """Length of each raw measurement."""
    step_seconds: float = 3.0
    """Length of each step of the search for the most orders a second."""
    singles: int = 30
    """Orders placed one after the other while the system idles."""
    single_rate: float = 3.0
    """How many of those a second: each is over, mail included, before the next."""
    customers: int = 8
    products: int = 20
    overhead_seconds: float = 150.0
    """How long everything but the sustained load itself may take; what would exceed it is cut short, and said so."""
    own: bool = False
    """Start a system of the bench's own, although one runs already under SIDECART_HOME."""
    out: Path = Path("bench-results")


def parse(arguments: Sequence[str]) -> Settings:
    """Read `--name value` for each setting."""
    parser = ArgumentParser(prog="python -m tests.bench")
    for field in fields(Settings):
        name = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(field.default), default=field.default)
    known = vars(parser.parse_args(arguments))
    known["out"] = Path(known["out"])
    return Settings(**known)
