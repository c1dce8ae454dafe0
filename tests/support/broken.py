"""The checkout's files with one slip in them, and what the linter makes of it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stack.check import checkout
from stack.check.inspection import inspect
from stack.check.world import Known
from stack.home import CHECKOUT


@dataclass(frozen=True)
class Slip:
    """In *file*, *wrong* stands for *right*: the linter says *said* of the line that holds *at* (or *wrong*)."""

    file: str
    right: str
    wrong: str
    said: str
    at: str = ""

    def __str__(self) -> str:
        return f"{Path(self.file).stem}: {self.said[:50]}"

    def path(self) -> Path:
        return CHECKOUT / self.file

    def text(self) -> str:
        """Return the file with the slip in its first place."""
        text = sound()[self.path()]
        assert self.right in text, f"{self.file} has no {self.right!r} any more"
        return text.replace(self.right, self.wrong, 1)

    def line(self) -> int:
        marked = self.at or self.wrong.strip().splitlines()[0]
        (number, *_) = [number for number, line in enumerate(self.text().splitlines(), 1) if marked in line]
        return number


@cache
def sound() -> dict[Path, str]:
    """Return the default profile's files as they are."""
    return checkout.files()


@cache
def known() -> Known:
    return checkout.known()


def found_in(*slips: Slip, is_ours: bool = True) -> list[str]:
    """Return what the linter says when the slips are there."""
    files = sound() | {slip.path(): slip.text() for slip in slips}
    return [str(finding) for finding in inspect(files, known(), is_ours=is_ours)]


def assert_found(slip: Slip) -> None:
    """Hold the linter to one finding, with the exact line."""
    (told,) = found_in(slip)
    assert told.startswith(f"{slip.path()}:{slip.line()}: "), told
    assert slip.said in told
