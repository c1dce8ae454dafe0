"""A replay goes on where a broker takes less at once than it was asked to."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stack import operating, replay
from stack.home import Home
from stack.progress import Progress

TAKES = 30


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path, 0)
    found.run.mkdir(parents=True)
    return found


def test_a_page_that_is_too_much_for_the_broker_comes_in_smaller_pieces(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def ask(_: Home, __: str, ___: str, page: dict[str, Any], **____: float) -> Any:
        asked.append(page["limit"])
        if page["limit"] > TAKES:
            raise operating.BusyError("not within its time")
        more = {"at": "2026-11-27T08:00:00Z", "id": "0"} if len(asked) < 4 else None
        return {"published": {"t": page["limit"]}, "unreadable": 0, "kept_since": "2026-11-01T00:00:00Z", "next": more}

    monkeypatch.setattr(operating, "ask_any", ask)
    now = datetime.now(UTC)
    plan = replay.Replay(since=now - timedelta(minutes=1), until=now, topic=None, rate=10_000, services=["orders"])
    told = replay.run(home, plan, Progress())
    assert asked == [100, 25, 25, 25]
    assert told == {"t": 75}
