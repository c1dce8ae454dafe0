from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic_settings import SettingsConfigDict

from apps.chassis.settings import EX_CONFIG, ServiceSettings

TOKEN = "a-token-for-tests-only"


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="THINGS_")
    service: ClassVar = "things"

    patience_s: int = 3
    rest: timedelta = timedelta(0)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "8009")
    monkeypatch.setenv("APP_API_TOKEN", TOKEN)


def test_defaults_hold_where_nothing_is_said() -> None:
    settings = Settings.load()
    assert (settings.port, settings.patience_s) == (8009, 3)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("THINGS_PATIENCE_S", "long", "THINGS_PATIENCE_S"),
        ("THINGS_DATABASE_POOL", "0", "THINGS_DATABASE_POOL"),
        ("THINGS_OUTBOX_POLL", "soon", "THINGS_OUTBOX_POLL"),
        ("THINGS_OUTBOX_POLL", "PT0S", "THINGS_OUTBOX_POLL"),
        ("THINGS_OUTBOX_RETENTION", "-P1D", "THINGS_OUTBOX_RETENTION"),
        ("THINGS_REST", "-PT1H", "THINGS_REST"),
        ("APP_PORT", "http", "APP_PORT"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
        ("APP_API_TOKEN", "short-secret", "APP_API_TOKEN"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_it_and_does_not_repeat_it(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stopped:
        Settings.load()
    line = capsys.readouterr().err
    assert (stopped.value.code, line.count("\n")) == (EX_CONFIG, 1)
    assert f"things: setting {said}: " in line
    assert "short-secret" not in line


@pytest.mark.parametrize("value", ["2h", "7200", "soon"])
def test_how_a_length_of_time_is_written_is_said(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THINGS_REST", value)
    with pytest.raises(SystemExit):
        Settings.load()
    assert "setting THINGS_REST: no length of time; write PT30S, PT5M, PT2H or P30D" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "meant"), [("PT2H", timedelta(hours=2)), ("00:05:00", timedelta(minutes=5))])
def test_a_length_of_time_may_be_written_as_is_said(
    value: str, meant: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THINGS_REST", value)
    assert Settings.load().rest == meant


def test_a_missing_value_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("APP_API_TOKEN")
    with pytest.raises(SystemExit):
        Settings.load()
    assert "setting APP_API_TOKEN" in capsys.readouterr().err


def test_secrets_stay_out_of_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THINGS_DATABASE_URL", "postgresql://things:hidden@127.0.0.1/things")
    assert "hidden" not in repr(Settings.load())
    assert TOKEN not in repr(Settings.load())


def test_the_issuer_follows_the_port_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECART_PORT_OFFSET", "100")
    assert Settings.load().token_issuer == "http://localhost:3600/v1.0/invoke/users/method"
