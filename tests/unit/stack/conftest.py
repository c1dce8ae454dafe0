from pathlib import Path

import pytest

from stack.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home with a port offset of its own."""
    made = Home(root=tmp_path / "home", offset=1000)
    made.make_directories()
    return made
