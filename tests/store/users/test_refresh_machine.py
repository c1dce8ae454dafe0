"""The refresh family as a state machine: random histories of an owner, a thief and the clock against a small model."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.store.users.conftest import Home, open_home

T = TypeVar("T")
GRACE = timedelta(seconds=10)


class Family(RuleBasedStateMachine):
    """What is known: every token ever handed out, oldest first, and whether the session lives and is in its grace."""

    home: Home
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[str] = []
        self.alive = self.fresh = False
        self.run(self.home.change("DELETE FROM sessions"))
        self.begin()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def begin(self) -> None:
        self.tokens = [self.run(self.home.sign_in()).json()["refresh_token"]]
        self.alive, self.fresh = True, False

    @rule()
    def the_newest_is_refreshed(self) -> None:
        reply = self.run(self.home.refresh(self.tokens[-1]))
        assert reply.status == (200 if self.alive else 401)
        if self.alive:
            assert reply.json()["refresh_token"] not in self.tokens
            self.tokens.append(reply.json()["refresh_token"])
            self.fresh = True

    @rule(back=st.integers(min_value=1, max_value=4))
    def an_earlier_one_is_presented(self, back: int) -> None:
        if back >= len(self.tokens):
            return
        reply = self.run(self.home.refresh(self.tokens[-1 - back]))
        if self.alive and self.fresh and back == 1:
            assert reply.json()["refresh_token"] == self.tokens[-1]
        else:
            assert reply.status == 401
            self.alive = False

    @rule()
    def the_grace_passes(self) -> None:
        self.run(self.home.change("UPDATE sessions SET refreshed_at = refreshed_at - interval '11 s'"))
        self.fresh = False

    @rule()
    def it_expires(self) -> None:
        self.run(self.home.change("UPDATE sessions SET expires_at = now()"))
        self.alive = False

    @rule()
    def somebody_signs_in_anew(self) -> None:
        if not self.alive:
            self.run(self.home.change("DELETE FROM sessions"))
            self.begin()

    @invariant()
    def there_is_one_newest_or_none(self) -> None:
        rows = self.run(self.home.rows("SELECT generation FROM sessions WHERE expires_at > now()"))
        assert [row.generation for row in rows] == ([len(self.tokens)] if self.alive else [])


@pytest.mark.parametrize("examples", [12, pytest.param(500, marks=pytest.mark.soak)])
def test_no_history_breaks_the_family(
    database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Home]:
        async with open_home(database_for("users"), monkeypatch) as home:
            home.set(refresh_grace=GRACE)
            await home.register()
            yield home

    with asyncio.Runner() as runner:
        context = opened()
        Family.runner, Family.home = runner, runner.run(context.__aenter__())
        unhurried = settings(
            max_examples=examples, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        )
        try:
            run_state_machine_as_test(Family, settings=unhurried)
        finally:
            runner.run(context.__aexit__(None, None, None))
