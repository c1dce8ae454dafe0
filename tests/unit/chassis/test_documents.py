import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from apps.chassis.documents import Documents, Gate
from apps.chassis.sidecar import Document, Sidecar, SidecarError, StoreMissingError

FOR_EVER_S = 60


class Stores:
    """Stands in for a sidecar with some state stores."""

    def __init__(self, **kept: dict[str, bytes]) -> None:
        self.kept = {name.replace("_", "-"): documents for name, documents in kept.items()}
        self.away: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def get_documents(self, store: str, keys: Sequence[str]) -> dict[str, Document]:
        await self._reach(store)
        return {key: Document(self.kept[store][key], "1") for key in keys if key in self.kept[store]}

    async def put_documents(self, store: str, documents: Mapping[str, bytes], _ttl_s: int | None = None) -> None:
        await self._reach(store)
        self.kept[store].update(documents)

    async def _reach(self, store: str) -> None:
        await self.gate.wait()
        if store in self.away:
            raise SidecarError(store)
        if store not in self.kept:
            raise StoreMissingError(store)


def documents_of(stores: Stores) -> Documents:
    return Documents(cast("Sidecar", stores))


async def values(documents: Documents, *keys: str) -> dict[str, bytes]:
    return {key: document.value for key, document in (await documents.get("papers", keys)).items()}


async def test_what_the_store_lacks_is_read_from_the_one_before() -> None:
    documents = documents_of(Stores(papers={"b": b"2"}, papers_previous={"a": b"1", "b": b"old"}))
    assert await values(documents, "a", "b", "c") == {"a": b"1", "b": b"2"}


async def test_without_a_store_before_what_is_lacking_is_absent() -> None:
    assert await values(documents_of(Stores(papers={"b": b"2"})), "a", "b") == {"b": b"2"}


async def test_a_store_before_that_is_away_is_an_outage_and_no_absence() -> None:
    stores = Stores(papers={}, papers_previous={"a": b"1"})
    stores.away.add("papers-previous")
    with pytest.raises(SidecarError):
        await values(documents_of(stores), "a")


async def test_the_store_of_the_role_itself_must_be_there() -> None:
    with pytest.raises(StoreMissingError):
        await values(documents_of(Stores(papers_previous={"a": b"1"})), "a")


async def test_holding_waits_for_calls_under_way_and_keeps_new_ones_back() -> None:
    stores = Stores(papers={})
    documents, gate = documents_of(stores), asyncio.Event()
    stores.gate = gate
    under_way = asyncio.create_task(documents.put("papers", {"a": b"1"}))
    await asyncio.sleep(0)
    holding = asyncio.create_task(documents.gates["papers"].hold(FOR_EVER_S))
    await asyncio.sleep(0)
    late = asyncio.create_task(documents.put("papers", {"b": b"2"}))
    await asyncio.sleep(0.01)
    assert not holding.done()
    gate.set()
    await holding
    await under_way
    await asyncio.sleep(0.01)
    assert stores.kept == {"papers": {"a": b"1"}}, "the late one still waits"
    documents.gates["papers"].release()
    await late
    assert stores.kept == {"papers": {"a": b"1", "b": b"2"}}


async def test_other_stores_go_on_while_one_is_held() -> None:
    documents = documents_of(Stores(papers={"a": b"1"}, papers_next={}))
    await documents.gates["papers-next"].hold(FOR_EVER_S)
    assert await values(documents, "a") == {"a": b"1"}
    documents.gates["papers-next"].release()


async def test_holding_ends_by_itself() -> None:
    gate = Gate()
    await gate.hold(0.01)
    async with asyncio.timeout(30), gate.passing():
        pass


async def test_a_call_that_does_not_end_makes_holding_fail_and_holds_up_nobody() -> None:
    gate = Gate()
    async with gate.passing():
        with pytest.raises(TimeoutError):
            await gate.hold(0.01)
        async with asyncio.timeout(30), gate.passing():
            pass


async def test_who_was_kept_back_is_kept_back_again_by_a_hold_that_follows_at_once() -> None:
    gate = Gate()
    await gate.hold(FOR_EVER_S)
    passed = asyncio.Event()

    async def pass_through() -> None:
        async with gate.passing():
            passed.set()

    waiting = asyncio.create_task(pass_through())
    await asyncio.sleep(0)
    gate.release()
    await gate.hold(FOR_EVER_S)
    await asyncio.sleep(0.01)
    assert not passed.is_set()
    gate.release()
    await waiting
