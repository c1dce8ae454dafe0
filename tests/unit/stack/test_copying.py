"""A copy ends where documents were at its beginning, and goes on where stores manage less than a page."""

import json
from pathlib import Path
from typing import Any

import pytest

from stack import component_files, copying, moving, operating, profiles, stores
from stack import swap as swapping
from stack.home import CHECKOUT, Home
from stack.progress import Progress

STORE = (CHECKOUT / "components/embedded/order-details.yaml").read_text()
TAKES = 30


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path, 0)
    found.make_directories()
    for name in ("order-details", "order-details-next"):
        (found.resources / f"{name}.yaml").write_text(component_files.named(STORE, name))
    return found


class Service:
    """Answers for orders with *pages* pages, and manages so many documents at once."""

    def __init__(self, pages: int, takes: int = copying.PAGE) -> None:
        self.asked: list[dict[str, Any]] = []
        self._pages, self._takes = pages, takes

    def ask(self, _home: Home, _app_id: str, _path: str, body: dict[str, Any], **_: float) -> Any:
        self.asked.append(dict(body))
        if body["limit"] > self._takes:
            raise operating.BusyError("not within its time")
        self._pages -= 1
        return {
            "checked": body["limit"],
            "copied": body["limit"],
            "lost": [],
            "next": f"{self._pages}.1" if self._pages else None,
            "until": body["until"] or "z.1",
        }


def test_every_page_knows_where_the_pass_ends_since_its_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(pages=3)
    monkeypatch.setattr(operating, "ask_any", service.ask)
    done = copying.run(home, "order-details", Progress(), rate=1_000_000)
    assert [(body["after"], body["until"]) for body in service.asked] == [("", ""), ("2.1", "z.1"), ("1.1", "z.1")]
    assert done.checked == 3 * copying.PAGE


def test_a_pass_that_was_stopped_goes_on_to_the_end_that_it_had(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = copying.direction(home, "order-details").model_copy(update={"after": "a.1", "until": "b.1"})
    (home.run / "copy.json").write_text(stopped.model_dump_json())
    service = Service(pages=1)
    monkeypatch.setattr(operating, "ask_any", service.ask)
    copying.run(home, "order-details", Progress())
    assert [(body["after"], body["until"]) for body in service.asked] == [("a.1", "b.1")]


def test_a_page_that_is_too_much_for_a_store_comes_in_smaller_pieces(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(pages=2, takes=TAKES)
    monkeypatch.setattr(operating, "ask_any", service.ask)
    assert copying.run(home, "order-details", Progress(), rate=1_000_000).checked == 50
    assert [body["limit"] for body in service.asked] == [100, 25, 25]


@pytest.mark.parametrize("half", ["order-details", "order-details-next"])
def test_a_move_completes_a_swap_that_was_interrupted_and_copies_the_rest(
    half: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wanted,) = [it for it in profiles.variants() if it.type == "state.mongodb"]
    role = home.resources / "order-details.yaml"
    coming = component_files.named(wanted.path.read_text(), "order-details-next", tolerant=True)
    (home.resources / "order-details-next.yaml").write_text(coming)
    (home.resources / "order-details-previous.yaml").write_text(component_files.named(STORE, "order-details-previous"))
    if half == "order-details":
        role.write_text(wanted.path.read_text())
    monkeypatch.setattr(stores, "replace", lambda _home, _role, text: role.write_text(text))
    monkeypatch.setattr(stores, "remove", lambda _home, name: (home.resources / f"{name}.yaml").unlink())
    service = Service(pages=2)
    monkeypatch.setattr(operating, "ask_any", service.ask)
    moving.move(home, "order-details", wanted, Progress())
    assert role.read_text() == wanted.path.read_text()
    assert {body["source"] for body in service.asked} == {"order-details-previous"}
    assert not (home.resources / "order-details-next.yaml").exists()


def typed(home: Home, monkeypatch: pytest.MonkeyPatch, service: Service) -> str:
    """Type `sidecart swap order-details=mongodb`, where only *service* and the files are there; return what it says."""
    said: list[str] = []
    (wanted,) = [it for it in profiles.variants() if it.type == "state.mongodb"]
    home.secrets.write_text(json.dumps(dict.fromkeys(wanted.secrets, "known")))
    monkeypatch.setattr(operating, "ask_any", service.ask)
    monkeypatch.setattr(stores, "remove", lambda _home, name: (home.resources / f"{name}.yaml").unlink())
    monkeypatch.setattr(stores, "replace", lambda _home, role, text: (home.resources / f"{role}.yaml").write_text(text))
    monkeypatch.setattr(stores, "_add", lambda _home, name, text: (home.resources / f"{name}.yaml").write_text(text))
    monkeypatch.setattr(swapping, "start_servers", lambda *_: None)
    monkeypatch.setattr(swapping, "stop_unused", lambda *_: None)
    monkeypatch.setattr(swapping, "_servers_for", lambda *_: [])
    progress = Progress()
    monkeypatch.setattr(progress, "say", said.append)
    swapping.swap(home, {"order-details": wanted}, progress)
    return "\n".join(said)


class Cut(Service):
    """As a service, but whoever asks is killed at the *last* page that it may ask for."""

    def __init__(self, last: int) -> None:
        super().__init__(pages=1)
        self._left = last

    def ask(self, _home: Home, _app_id: str, _path: str, body: dict[str, Any], **_: float) -> Any:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        answer = super().ask(_home, _app_id, _path, body)
        self._pages = 3  # the next pass: the rest
        return answer


@pytest.mark.parametrize(("last", "after"), [(2, ""), (3, "2.1")])
def test_a_swap_that_was_cut_off_in_its_last_copy_is_ended_by_typing_it_again(
    last: int, after: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.resources / "order-details-next.yaml").unlink()
    cut = Cut(last)
    with pytest.raises(KeyboardInterrupt):
        typed(home, monkeypatch, cut)
    assert cut.asked[0]["source"] == "order-details"
    again = Service(pages=1)
    said = typed(home, monkeypatch, again)
    assert "taken up where it was cut off: order-details" in said
    assert [(body["source"], body["after"]) for body in again.asked] == [("order-details-previous", after)]
    assert typed(home, monkeypatch, Service(pages=1)) == "nothing to swap: all of it is in use"
