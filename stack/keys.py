"""Rotating the key under what payments has sealed, while it runs; begun again, it goes on where it stopped."""

import base64
import re
import secrets as dice
import time
from typing import Any, Final

from stack import operating, secrets_file
from stack.errors import StackError
from stack.home import Home
from stack.program import Program, load_all
from stack.progress import Progress
from stack.servers import resolver

_SECRET: Final = "payments-keks"  # noqa: S105  # its name
_SERVICE: Final = "payments"
_ROUTE: Final = "/internal/operator/keys"
_TABLES: Final = (
    "payments",
    "ledger",
    "provider_answers",
    "notices",
    "reconciliations",
    "ledger_balances",
    "outbox",
    "dead_letters",
    "idempotent_replies",
)
_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.5
# The store reads its file when it is loaded: this says nothing new, and has the sidecars load it once more.
_NUDGE: Final = "    - name: nestedSeparator\n      value: ':'\n"
_METADATA: Final = re.compile(r"(?m)^(  metadata:\n)")


def rotate(home: Home, progress: Progress) -> dict[str, int]:
    """Make a new key current and rewrap everything under it; return how many rows of each table that was.

    A key is known to every replica before any seals with it, and old ones stay: a backup may need them.
    """
    keks = secrets_file.load(home)[_SECRET].split(",")
    newest = max(keks, key=_number)
    if newest != keks[0]:
        progress.say(f"going on with {_name(newest)}, which is known and not current yet")
    elif not any(_pass(home, table) for table in _TABLES):
        newest = f"k{_number(newest) + 1}:{base64.b64encode(dice.token_bytes(32)).decode()}"
        keks = [*keks, newest]
        _write(home, keks)
        progress.say(f"{_name(newest)} is new")
    else:
        progress.say(f"going on under {_name(newest)}")
    _await(home, _name(newest), current=False)
    if newest != keks[0]:
        keks = [newest, *(each for each in keks if each != newest)]
        _write(home, keks)
    _await(home, _name(newest), current=True)
    progress.say(f"{_name(newest)} is current")
    return _rewrap_all(home, progress)


def _rewrap_all(home: Home, progress: Progress) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in _TABLES:
        # what somebody was at is left out of a pass, so that one that finds nothing has to follow
        while found := _pass(home, table):
            counts[table] = counts.get(table, 0) + found
            progress.say(f"{counts[table]:,} of {table} rewrapped")
    return counts


def _pass(home: Home, table: str) -> int:
    count, after = 0, ""
    while True:
        page: dict[str, Any] = operating.ask_any(home, _SERVICE, f"{_ROUTE}/rewrap", {"table": table, "after": after})
        count += int(page["rewrapped"])
        if page["after"] is None:
            return count
        after = page["after"]


def _await(home: Home, key_id: str, *, current: bool) -> None:
    """Have every replica read the keys until it knows *key_id*, or seals under it."""
    limit = time.monotonic() + _PATIENCE_S
    while True:
        replicas = operating.replicas(home, _SERVICE)
        behind = [each.name for each in replicas if not _has(home, each, key_id, current=current)]
        if not behind:
            return
        if time.monotonic() > limit:
            said = f"{', '.join(behind)} does not learn of {key_id}: see `sidecart logs`"
            raise StackError(f"{said}; `sidecart keys rotate` goes on from here")
        time.sleep(_PAUSE_S)


def _has(home: Home, replica: Program, key_id: str, *, current: bool) -> bool:
    try:
        known: list[str] = operating.ask(home, replica, f"{_ROUTE}/read", {})["known"]
    except operating.BusyError:
        return False
    return known[0] == key_id if current else key_id in known


def _write(home: Home, keks: list[str]) -> None:
    secrets_file.replace(home, {_SECRET: ",".join(keks)})
    # a Vault of ours is filled from that file
    resolver.prepare(home, [program.name for program in load_all(home)], secrets_file.load(home))
    component = home.resources / "secrets.yaml"
    text = component.read_text()
    without = text.replace(_NUDGE, "")
    nudged = without if without != text else _METADATA.sub(rf"\1{_NUDGE}", text, count=1)
    home.put(component, nudged)


def _number(kek: str) -> int:
    return int(_name(kek)[1:])


def _name(kek: str) -> str:
    return kek.partition(":")[0]
