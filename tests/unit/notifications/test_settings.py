import pytest
from pydantic import ValidationError

from apps.notifications.settings import Settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "18004")
    monkeypatch.setenv("APP_API_TOKEN", "a token of some length")


def test_lanes_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFICATIONS_EMAIL_LANES", "email, email-2")
    assert Settings.load().email_lanes == ("email", "email-2")


@pytest.mark.parametrize("lanes", ["", "email,email"])
def test_no_lane_or_one_twice_is_refused(monkeypatch: pytest.MonkeyPatch, lanes: str) -> None:
    monkeypatch.setenv("NOTIFICATIONS_EMAIL_LANES", lanes)
    with pytest.raises(ValidationError):
        Settings()


def test_a_wrong_value_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTIFICATIONS_CAPACITY", "many")
    with pytest.raises(SystemExit):
        Settings.load()
    said = capsys.readouterr().err
    assert "NOTIFICATIONS_CAPACITY" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("runtime", "at_once"), [("ours", 4), ("theirs", 1), (None, 1)])
def test_only_our_own_binding_is_given_several_mails_at_once(
    monkeypatch: pytest.MonkeyPatch, runtime: str | None, at_once: int
) -> None:
    monkeypatch.delenv("SIDECART_RUNTIME", raising=False)
    if runtime:
        monkeypatch.setenv("SIDECART_RUNTIME", runtime)
    assert Settings.load().email_at_once == at_once
