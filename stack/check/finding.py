import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SHOWN = 12
# As alike as a slip of the fingers leaves two words.
NEAR = 0.7


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong: where, what, and what to do."""

    path: Path
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}; {self.remedy}"


def instead_of(word: str, known: Iterable[str]) -> str:
    """Return a remedy for *word*: the nearest of what is known, else a list of it."""
    names = sorted(set(known))
    near = {name.casefold(): name for name in names}
    if close := difflib.get_close_matches(word.casefold(), near, n=1, cutoff=NEAR):
        return f"did you mean {near[close[0]]}?"
    if not names:
        return "there is none"
    return f"there are {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
