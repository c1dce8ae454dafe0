import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    """An empty home with a port offset of its own; under a short path, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="home-", dir="/tmp") as folder:
        made = Home(root=Path(folder) / "home", offset=1000)
        made.make_directories()
        yield made
