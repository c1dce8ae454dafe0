"""What a broker may keep that is left is published again: noted before it is left, so that no kill forgets it."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from stack import operating, replay
from stack.home import Home
from stack.progress import Progress

# What the broker that is left had not handed out yet is younger than this, unless a service is further behind.
HELD = timedelta(seconds=30)
# A relay marks what it published half a second later at the most, by its own process' pace: this long until it is seen.
MARKED_S = 3.0
# Facts a second: faster than an operator's replay, since customers wait for those that were held.
REPLAYED_PER_S = 1_000


class Owed(BaseModel):
    """The roles whose broker was left, and since when facts have to be published again."""

    roles: frozenset[str]
    since: AwareDatetime


def owed(home: Home) -> Owed | None:
    """Return what a swap that was cut off still owes."""
    try:
        return Owed.model_validate_json(_file(home).read_bytes())
    except (OSError, ValidationError):
        return None


def note(home: Home, roles: Iterable[str]) -> None:
    """Note that brokers are about to be left; what an earlier swap owes stays owed."""
    made = Owed(roles=frozenset(roles), since=datetime.now(UTC) - _held(home))
    if before := owed(home):
        made = Owed(roles=made.roles | before.roles, since=min(made.since, before.since))
    home.put(_file(home), made.model_dump_json())


def settle(home: Home, progress: Progress) -> None:
    """Publish again what is owed.

    The broker that was left keeps what it had not handed out, and the new one may have heard facts before all its
    readers were there.
    """
    if (debt := owed(home)) is None:
        return
    taken_up = datetime.now(UTC)
    replay.run(home, replay.begin(home, debt.since, None, None, rate=REPLAYED_PER_S), progress)
    # What was published in the last moments on the broker that is left may have been marked only now.
    time.sleep(max(0.0, MARKED_S - (datetime.now(UTC) - taken_up).total_seconds()))
    last = replay.begin(home, taken_up - timedelta(seconds=MARKED_S), None, None, rate=REPLAYED_PER_S)
    replay.run(home, last.model_copy(update={"until": taken_up + timedelta(seconds=MARKED_S)}), progress)
    _file(home).unlink()


def _held(home: Home) -> timedelta:
    """Return how far back the broker that is left may hold facts: twice what services are behind, 30 s at least."""
    behind = 0.0
    for app_id in operating.services(home):
        for replica in operating.replicas(home, app_id):
            try:
                behind = max(behind, float(operating.ask(home, replica, "/internal/operator/lag", {})["seconds"]))
            except operating.BusyError:
                continue
    return max(HELD, timedelta(seconds=behind * 2))


def _file(home: Home) -> Path:
    return home.run / "republish.json"
