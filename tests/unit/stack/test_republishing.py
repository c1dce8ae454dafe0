"""A broker that was left owes what it kept: whoever cut the swap off types it again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stack import operating, profiles, replay, republishing, resources
from stack import swap as swapping
from stack.home import Home
from stack.progress import Progress

BEHIND_S = 60.0


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Since when facts were published again, by a system that is there in files alone."""
    since: list[datetime] = []
    monkeypatch.setattr(republishing, "MARKED_S", 0.0)
    monkeypatch.setattr(operating, "services", lambda _: ["orders"])
    monkeypatch.setattr(operating, "replicas", lambda *_: ["orders"])
    monkeypatch.setattr(operating, "ask", lambda *_: {"seconds": BEHIND_S})
    monkeypatch.setattr(replay, "run", lambda _home, asked, _progress: since.append(asked.since))
    for name in ("start_servers", "stop_unused", "_await_taken_up"):
        monkeypatch.setattr(swapping, name, lambda *_: None)
    monkeypatch.setattr(swapping, "_servers_for", lambda *_: [])
    return since


class Kept(Progress):
    """Keeps what it is told to say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)


def typed(home: Home) -> str:
    """Type `sidecart swap pubsub=rabbitmq`, and return what it says."""
    (wanted,) = [it for it in profiles.variants() if it.role == "pubsub" and it.profile == "reference"]
    home.secrets.write_text(json.dumps(dict.fromkeys(wanted.secrets, "known")))
    kept = Kept()
    swapping.swap(home, {"pubsub": wanted}, kept)
    return "\n".join(kept.said)


def cut_off(*_: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "cut",
    [
        lambda patch: patch.setattr(resources, "choose", cut_off),
        lambda patch: patch.setattr(swapping, "_await_taken_up", cut_off),
        lambda patch: patch.setattr(replay, "run", cut_off),
    ],
    ids=["before the file is replaced", "before it is taken up", "before facts are published again"],
)
def test_a_swap_of_a_broker_that_was_cut_off_is_ended_by_typing_it_again(
    cut: Callable[[pytest.MonkeyPatch], None], home: Home, replayed: list[datetime]
) -> None:
    began = datetime.now(UTC)
    with pytest.MonkeyPatch.context() as patch:
        cut(patch)
        with pytest.raises(KeyboardInterrupt):
            typed(home)
    assert replayed == []
    assert "taken up where it was cut off: pubsub" in typed(home)
    assert abs(replayed[0] - (began - timedelta(seconds=2 * BEHIND_S))) < timedelta(seconds=30)
    assert typed(home) == "nothing to swap: all of it is in use"


def test_a_swap_that_ends_owes_nothing(home: Home, replayed: list[datetime]) -> None:
    assert "cut off" not in typed(home)
    assert len(replayed) == 2
    assert republishing.owed(home) is None


def test_what_was_owed_first_stays_owed(home: Home, replayed: list[datetime]) -> None:
    republishing.note(home, ["notification-queue"])
    first = republishing.owed(home)
    assert first
    assert "cut off" not in typed(home), "it was another role's"
    assert replayed[0] == first.since
