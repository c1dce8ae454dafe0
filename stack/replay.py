"""A stretch of what services published, published again: page by page, at a pace, and taken up where it stopped."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ValidationError

from stack import operating
from stack.errors import StackError
from stack.home import Home
from stack.progress import Progress

PAGE = 100
# Facts a second: live traffic shares the broker and the consumers.
RATE = 300
SAY_EVERY_S = 2.0
PATH = "/internal/operator/replay"


class Replay(BaseModel):
    """What is to be published again, and how far that has come; kept in run/ so that a kill costs a page."""

    since: AwareDatetime
    until: AwareDatetime
    topic: str | None
    rate: int = RATE
    services: list[str]
    """Those that are left, the first perhaps begun."""
    after: dict[str, Any] | None = None

    def write(self, home: Home) -> None:
        """Store this, in one step."""
        home.put(home.run / "replay.json", self.model_dump_json())


def begin(home: Home, since: datetime, service: str | None, topic: str | None, *, rate: int = RATE) -> Replay:
    """Plan a replay of all that was published since *since* until now."""
    known = operating.services(home)
    if service is not None and service not in known:
        raise StackError(f"there is no service {service!r}: there are {', '.join(known)}")
    now = datetime.now(UTC)
    if since >= now:
        raise StackError(f"--since {since.isoformat()} lies in the future: give a time that has passed")
    return Replay(since=since, until=now, topic=topic, rate=rate, services=[service] if service else known)


def resume(home: Home) -> Replay:
    """Return the replay that was stopped, or say that there is none."""
    try:
        return Replay.model_validate_json((home.run / "replay.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise StackError("no replay was stopped half-way: give --since") from error


def run(home: Home, replay: Replay, progress: Progress) -> Counter[str]:
    """Publish service after service; return how many facts of each topic."""
    told: Counter[str] = Counter()
    while replay.services:
        replay.write(home)
        told += _service(home, replay, progress)
        replay = replay.model_copy(update={"services": replay.services[1:], "after": None})
    (home.run / "replay.json").unlink(missing_ok=True)
    return told


def _service(home: Home, replay: Replay, progress: Progress) -> Counter[str]:
    app_id, told, unreadable = replay.services[0], Counter[str](), 0
    page: dict[str, Any] = replay.model_dump(mode="json", include={"since", "until", "topic", "after"}) | {
        "limit": PAGE
    }
    began = said = time.monotonic()
    while True:
        answer = operating.ask_page(home, app_id, PATH, page)
        told.update(answer["published"])
        unreadable += answer["unreadable"]
        page["after"] = answer["next"]
        if page["after"] is None:
            break
        replay.model_copy(update={"after": page["after"]}).write(home)
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            progress.say(f"{app_id}: {told.total():,} so far, up to what was published at {page['after']['at']}")
        time.sleep(max(0.0, began + told.total() / replay.rate - time.monotonic()))
    progress.say(f"{app_id}: {told.total():,} published again{_doubts(replay, answer['kept_since'], unreadable)}")
    return told


def _doubts(replay: Replay, kept_since: str, unreadable: int) -> str:
    said = (
        f"; what was published before {kept_since} is gone" if datetime.fromisoformat(kept_since) > replay.since else ""
    )
    return said + (f"; {unreadable} cannot be opened: is their key in the secrets?" if unreadable else "")
