"""A table says everything: names are to be typed again, and remedies to be followed."""

import pytest

from stack.cli import tables

NAME = "notifications-daprd"
PORTS = "http:3504 grpc:4504 internal_grpc:5504 metrics:9504"
REMEDY = "put ses-access-key into /home/somebody/elsewhere/secrets.json and restart, or start with SIDECART_PROVIDERS=x"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, whatever the surroundings ask for."""
    monkeypatch.setenv("TERM", "dumb")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    table = tables.table("name", "kind", "ports", "what to do")
    table.add_row(NAME, "sidecar", PORTS, REMEDY)
    tables.show(table)
    return capsys.readouterr().out


def test_a_row_that_no_terminal_reads_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, row = shown(capsys).splitlines()
    assert row.split() == [
        NAME,
        "sidecar",
        "http:3504",
        "grpc:4504",
        "internal_grpc:5504",
        "metrics:9504",
        *REMEDY.split(),
    ]


def test_nothing_is_cut_off_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    said = shown(capsys)
    assert all(len(line) <= 80 for line in said.splitlines())
    assert NAME in said
    assert "…" not in said
    begin = said.index("what to do")
    last = [line[begin:] for line in said.splitlines()[1:]]
    assert "".join("".join(last).split()) == "".join(REMEDY.split())
