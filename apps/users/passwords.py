import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")

# 19 MiB, two passes, one lane: the least memory that OWASP's list allows, since several run at once.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_WAITING_PER_WORKER = 2
_NICER = 5


def _give_way() -> None:
    """Let the event loop go before this thread, where both want a core: on Linux each has a priority of its own."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER)


class OverloadedError(Exception):
    """More passwords wait to be hashed than will be in a bearable time."""

    def __init__(self) -> None:
        super().__init__("Too many people sign in at this moment; try again shortly.")


class Passwords:
    """Hashes and verifies off the event loop, on as many threads as there are cores, with a short queue before them."""

    def __init__(self, workers: int, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2", initializer=_give_way)
        self._room = workers * (1 + _WAITING_PER_WORKER)
        # verified where there is no account, so that both answers take as long
        self._nobodys = hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        """Return the encoded argon2id hash."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Tell whether *password* is the one behind *encoded*; None, for no account, takes as long and is never so."""
        return await self._run(lambda: self._matches(encoded or self._nobodys, password)) and encoded is not None

    def expect_room(self) -> None:
        """Raise OverloadedError where `verify` would, before anything is counted against the one who waits."""
        if self._room <= 0:
            raise OverloadedError

    def outdated(self, encoded: str) -> bool:
        """Tell whether *encoded* was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """Let go of the threads once they are done."""
        self._pool.shutdown(wait=False)

    def _matches(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        self.expect_room()
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._room += 1
