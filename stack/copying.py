"""The documents of a role from one of its stores to the other: page by page, and taken up where it stopped."""

import time

from pydantic import BaseModel, ValidationError

from stack import operating, stores
from stack.component_files import holder, scopes
from stack.errors import StackError
from stack.home import Home
from stack.progress import Progress

PAGE = 100
RATE = 2_000
SAY_EVERY_S = 2.0
SHOWN = 5
PATH = "/internal/operator/documents/copy"
# Longer than any request lives: what was written to the old store at the swap is named by a row by then.
UNDER_WAY_S = 60.0


class Copy(BaseModel):
    """A pass over all documents, and how far it has come; kept in run/ so that a kill costs a page."""

    role: str
    source: str
    target: str
    after: str = ""
    until: str = ""
    """Where the pass ends, by the service's word at its beginning; what is written later needs no copy, or the next."""
    checked: int = 0
    copied: int = 0
    lost: list[str] = []


def direction(home: Home, role: str) -> Copy:
    """Return which way documents go at this step of a move, or say that none is under way."""
    coming, before = holder(home, f"{role}-next"), holder(home, f"{role}-previous")
    if coming and before:
        raise StackError("the swap was interrupted: `sidecart state swap` completes it")
    if coming:
        return Copy(role=role, source=role, target=f"{role}-next")
    if before:
        return Copy(role=role, source=f"{role}-previous", target=role)
    raise StackError(f"there is no other store to copy {role} to: give one by --to FILE")


def swap(home: Home, role: str) -> None:
    """Let `ROLE-next` take the role, and note first that a copy is owed then: a kill may come at any moment."""
    note(home, Copy(role=role, source=f"{role}-previous", target=role))
    stores.swap(home, role)


def owed(home: Home, role: str) -> bool:
    """Tell whether a swap has begun and what was placed until then is not copied to its end."""
    if holder(home, f"{role}-previous") is None:
        return False
    stopped = _stopped(home)
    return holder(home, f"{role}-next") is not None or (stopped is not None and stopped.target == role)


def note(home: Home, copy: Copy) -> None:
    """Keep how far a pass has come."""
    home.put(home.run / "copy.json", copy.model_dump_json())


def forget(home: Home) -> None:
    """Begin the next pass at the beginning."""
    (home.run / "copy.json").unlink(missing_ok=True)


def run(home: Home, role: str, progress: Progress, rate: int = RATE) -> Copy:
    """Make one pass, or the rest of one that was stopped; raise `StackError` where documents are in neither store."""
    copy = direction(home, role)
    if (stopped := _stopped(home)) and (stopped.source, stopped.target) == (copy.source, copy.target):
        copy = stopped
        if copy.checked:
            progress.say(f"taken up where it stopped: {_figures(copy)}")
    copy = _pass(home, copy, progress, rate)
    forget(home)
    progress.say(f"{copy.source} -> {copy.target}: {_figures(copy)}")
    if copy.lost:
        shown = ", ".join(copy.lost[:SHOWN])
        raise StackError(f"{len(copy.lost)} documents are in neither store: {shown}: find them in a backup")
    return copy


def finish(home: Home, role: str, progress: Progress) -> None:
    """Check everything once more, and let go of the store before."""
    before = holder(home, f"{role}-previous")
    if before is None:
        raise StackError(f"no move of {role} is under way: there is no {role}-previous")
    if left := under_way_s(home, role):
        raise StackError(f"what was being written at the swap may not be done: come again in {left:.0f} s")
    forget(home)
    run(home, role, progress)
    stores.remove(home, f"{role}-previous")
    progress.say(f"{role}-previous is no longer used; what it holds stays where it is")


def under_way_s(home: Home, role: str) -> float:
    """Return the seconds for which a write to `ROLE-previous` may still be under way."""
    before = holder(home, f"{role}-previous")
    return max(0.0, UNDER_WAY_S - (time.time() - before.stat().st_mtime)) if before else 0.0


def _pass(home: Home, copy: Copy, progress: Progress, rate: int) -> Copy:
    (app_id, *_) = scopes(stores.current(home, copy.role).read_text())
    began = said = time.monotonic()
    already = copy.checked
    limit = PAGE
    while True:
        body = copy.model_dump(include={"role", "source", "target", "after", "until"}) | {"limit": limit}
        page = operating.ask_page(home, app_id, PATH, body)
        copy.checked += page["checked"]
        copy.copied += page["copied"]
        copy.lost += page["lost"]
        copy.until, limit = page["until"], body["limit"]
        if page["next"] is None:
            return copy
        copy.after = page["next"]
        note(home, copy)
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            progress.say(_figures(copy))
        # live traffic shares both stores
        time.sleep(max(0.0, began + (copy.checked - already) / rate - time.monotonic()))


def _figures(copy: Copy) -> str:
    return f"{copy.checked:,} documents checked, {copy.copied:,} copied"


def _stopped(home: Home) -> Copy | None:
    try:
        return Copy.model_validate_json((home.run / "copy.json").read_bytes())
    except (OSError, ValidationError):
        return None
