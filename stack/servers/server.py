from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stack.errors import StackError
from stack.home import Home
from stack.program import Program
from stack.servers.container import Image
from stack.watched import Progress


class MissingServerError(StackError):
    """A server that cannot be had here: why, and what to do about it."""


@dataclass(frozen=True)
class Server:
    """A server that some components need, and how it is had on this machine."""

    name: str
    variable: str
    """What a component that needs it takes its address from."""
    ports: Mapping[str, int]
    """Every fixed port by what it is for."""
    processes: frozenset[str]
    """The names of its programs."""
    missing: Callable[[], str | None]
    """Say why it cannot be had and what to do; None when it can. Quick: nothing is fetched to find out."""
    programs: Callable[[Home, dict[str, str], Progress], list[Program]]
    """Fetch it if need be, prepare its data, and describe its processes in the order of their starting."""
    image: Image | None
    """The product itself, for where Docker is; None where it would have to be filled anew at each of its starts."""
    prepare: Callable[[Home, dict[str, str]], None] | None = None
    """What is done once it answers, before anybody uses it."""
